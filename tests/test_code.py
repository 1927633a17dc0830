"""What the digest of code follows, and what it leaves out."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from common import REPOSITORY

from syntrans_l2l import code
from syntrans_l2l.code import code_digest
from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.networks.student import Student

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write modules of a user; every call gives them another time."""
    monkeypatch.syspath_prepend(tmp_path)

    def files(**sources: str) -> None:
        for name, source in sources.items():
            path = tmp_path.joinpath(*name.split("__in__")[::-1]).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        code._parsed.cache_clear()  # a file's time may be too coarse for two writes in a row

    return files


@pytest.mark.parametrize(
    "source",
    ["# why\nx = 1", '"""Doc."""\nx = 1', "x = 1\n'about x'", "x  =  (1)"],
    ids=["comment", "docstring", "text below", "layout"],
)
def test_comments_and_docstrings_do_not_count(write: Write, source: str) -> None:
    write(plain="x = 1")
    before = code_digest("plain")
    write(plain=source)
    assert code_digest("plain") == before
    write(plain="x = 2")
    assert code_digest("plain") != before


def test_a_docstring_of_a_function_does_not_count(write: Write) -> None:
    write(plain="def f():\n    return 1")
    before = code_digest("plain")
    write(plain='def f():\n    """Gives 1."""\n    return 1')
    assert code_digest("plain") == before


@pytest.mark.parametrize(
    "how",
    [
        "import helper",
        "import helper as other, json",
        "from helper import x",
        "def f():\n    from helper import x\n    return x",
        "class C:\n    import helper",
        "try:\n    import helper\nexcept ImportError:\n    helper = None",
        "import between",
        "from package import inner",
        "from package.inner import y",
        "import package.inner",
    ],
)
def test_imports_are_followed_wherever_they_stand(write: Write, how: str) -> None:
    write(
        start=how,
        helper="x = 1",
        between="import helper",
        __init____in__package="",
        inner__in__package="from helper import x as y",
    )
    before = code_digest("start")
    write(helper="x = 2")
    assert code_digest("start") != before


def test_relative_imports_and_the_packages_above(write: Write) -> None:
    write(
        __init____in__package="x = 1",
        one__in__package="from . import two",
        two__in__package="from .three import y",
        three__in__package="y = 1",
    )
    digests = [code_digest("package.one")]
    write(three__in__package="y = 2")
    digests.append(code_digest("package.one"))
    write(__init____in__package="x = 2")
    digests.append(code_digest("package.one"))
    assert len(set(digests)) == 3


def test_what_is_not_followed(write: Write) -> None:
    imports = "import json, torch\nfrom syntrans_l2l.reporting.tables import leaderboard"
    write(start=imports, unused="x = 1", own="x = 1")
    read = code._read("start", given=True)[1]
    assert {"json", "torch", "syntrans_l2l.reporting.tables"} <= set(read)
    assert all(code._read(name, given=False) == ("", ()) for name in read)
    before = code_digest("own")
    write(own="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import unused\nx = 1")
    typed = code_digest("own")
    write(unused="x = 2")
    assert code_digest("own") == typed != before


def test_other_peoples_packages_count_by_name_and_version(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(start="import pluggy")  # pytest's own dependency
    before = code_digest("start")
    assert code._read("pluggy", given=False)[0].startswith("pluggy ")
    code._version.cache_clear()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    assert code_digest("start") != before
    code._version.cache_clear()


def test_names_that_this_package_hands_out_are_followed_to_their_homes(write: Write) -> None:
    for source in (
        "from syntrans_l2l import ProtoNet",
        "import syntrans_l2l\nrow = syntrans_l2l.ProtoNet()",
        "import syntrans_l2l as sl\ndef f():\n    return sl.ProtoNet()",
    ):
        write(start=source)
        assert "syntrans_l2l.methods.protonet" in code._read("start", given=True)[1]


def test_objects_stand_for_their_modules_and_for_what_they_hold(write: Write) -> None:
    write(one="class One:\n    pass\ndef make(width): ...", two="class Two:\n    pass")
    import one  # type: ignore[import-not-found]
    import two  # type: ignore[import-not-found]

    try:
        holder = one.One()
        assert code_digest(one.One) == code_digest(one.make) == code_digest("one")
        assert code_digest(partial(one.make, 3)) == code_digest(holder) == code_digest(one)
        for parts in ([two.Two()], {"a": (two.Two(),)}, two.Two, partial(two.Two)):
            holder.parts = parts
            assert code_digest(holder) == code_digest("one", "two")
        holder.itself = holder  # no endless walk
        assert code_digest(holder) == code_digest("one", "two")
    finally:
        del sys.modules["one"], sys.modules["two"]


def test_a_network_stands_for_its_layers(write: Write) -> None:
    write(layers="import torch\nclass Mine(torch.nn.Module): ...")
    import layers  # type: ignore[import-not-found]
    from torch import nn

    try:
        student = Student(nn.Sequential(nn.Flatten(), nn.Sequential(layers.Mine())), 4, "mine")
        before = code_digest(student)
        write(layers="import torch\nclass Mine(torch.nn.Module): x = 1")
        assert code_digest(student) != before
    finally:
        del sys.modules["layers"]


def test_a_missing_module_is_an_error_and_an_absent_import_is_none(write: Write) -> None:
    with pytest.raises(ModuleNotFoundError, match="no source for module nowhere"):
        code_digest("nowhere")
    write(start="try:\n    import nowhere\nexcept ImportError: ...")
    before = code_digest("start")
    write(nowhere="x = 1")
    assert code_digest("start") != before


def test_a_notebook_counts_by_all_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    session = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", session)
    thing = type("Thing", (), {"__module__": "__main__"})
    first = code_digest(thing)
    assert first == code_digest(thing)  # no source: this process
    session.In = ["", "x = 1"]  # type: ignore[attr-defined]
    second = code_digest(thing)
    session.In = ["", "x = 1", "x = 2"]  # type: ignore[attr-defined]
    assert len({first, second, code_digest(thing)}) == 3


def reached(*things: object) -> set[str]:
    """The modules that a digest reads."""
    parts, waiting = set[str](), sorted(code._modules(things, set()))
    starts = list(waiting)
    while waiting:
        name = waiting.pop()
        if name not in parts:
            text, imported = code._read(name, given=name in starts)
            parts |= {name} if text else set()
            waiting += imported
    return parts


def test_a_students_key_hangs_on_what_trains_only() -> None:
    found = reached("syntrans_l2l.training.base", resnet12, resnet12(4))
    rooms = {name.split(".")[1] for name in found if name.startswith("syntrans_l2l.")}
    assert rooms <= {"training", "networks", "encoders", "seeds", "_learn2learn"}
    makers = {f"syntrans_l2l.encoders.{name}" for name in ("factories", "weights")}
    assert {name for name in found if name.startswith("syntrans_l2l.encoders.")} == makers
    for needed in ("training.loop", "training.augment", "training.precision", "networks.resnet12"):
        assert f"syntrans_l2l.{needed}" in found


def test_no_key_hangs_on_what_shows_results() -> None:
    found = set[str]()
    for room in ("algorithms", "encoders", "methods", "semantics", "training", "evaluation"):
        for path in (REPOSITORY / "syntrans_l2l" / room).glob("[!_]*.py"):
            found |= reached(f"syntrans_l2l.{room}.{path.stem}")
    assert len(found) > 40
    rooms = ("reporting", "experiment", "cli", "cache", "code")
    shown = tuple(f"syntrans_l2l.{name}" for name in rooms)
    assert [name for name in found if name.startswith(shown)] == []
    assert {name for name in found if not name.startswith("syntrans_l2l.")} == set()


def test_what_rows_import_is_in_their_keys() -> None:
    """Lists that were written by hand lacked these."""
    assert "syntrans_l2l.algorithms.class_vectors" in reached("syntrans_l2l.methods.am3")
    assert "syntrans_l2l.algorithms.class_vectors" in reached("syntrans_l2l.methods.semfew")
    features = reached("syntrans_l2l.training.features")
    assert {f"syntrans_l2l.training.{name}" for name in ("augment", "precision")} <= features
    text = reached("syntrans_l2l.semantics.text_encoder")
    assert {f"syntrans_l2l.semantics.{name}" for name in ("bank", "pretrained")} <= text
    assert "syntrans_l2l.methods.protonet" in reached(ProtoNet())


def test_nested_describers_and_judges_are_in_the_texts_key() -> None:
    from syntrans_l2l.semantics.collaboration import Collaboration
    from syntrans_l2l.semantics.demo_describer import DemoDescriber

    holder = SimpleNamespace(miner=Collaboration([DemoDescriber()]))
    assert reached(holder) == set()  # a class of the standard library holds nothing of its own
    found = reached(Collaboration([DemoDescriber()]))
    assert "syntrans_l2l.semantics.demo_describer" in found
