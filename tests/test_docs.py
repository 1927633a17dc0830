"""README and docs: every block of Python runs, every command of ours can be parsed."""

import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest
from command_line import SMALL
from common import REPOSITORY
from prepared import shorten, write_files

from syntrans_l2l.cli.main import COMMANDS
from syntrans_l2l.experiment.config import load_dataset, load_experiment, load_mining
from syntrans_l2l.experiment.gin_files import configuration_file

PAGES = {page.stem: page for page in (REPOSITORY / "docs").glob("*.md")}
del PAGES["concepts"]  # tests/test_strangers.py runs this page whole
PAGES["README"] = REPOSITORY / "README.md"
BINDINGS = [*SMALL, "VECTORS = 'vectors.npz'", "SynTransSettings.folds = 2"]
SHORTER = {  # what stands on a page, and what a test runs
    "max_epochs=10": "max_epochs=1, logger=False, enable_checkpointing=False",
    "epoch_length=100": "epoch_length=2",
    "resnet12, width=32": "resnet12, width=4",
    "size=84, skip": "size=32, skip",
    '"resnet10t", pretrained=True': '"resnet10t", pretrained=False',
    '"syntrans_cifarfs_cpu.gin"), []': f'"syntrans_cifarfs_cpu.gin"), {BINDINGS!r}',
}


def blocks(text: str, language: str) -> list[str]:
    """What stands between fences of a language; "" for those of none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for of, block in fenced if of == language]


def with_python() -> list[str]:
    found = {name for name, page in PAGES.items() if blocks(page.read_text(), "python")}
    return sorted(found - {"concepts"})  # tests/test_strangers.py runs that page


def write_named(text: str, folder: Path) -> list[Path]:
    """Blocks that begin with the name of a file, as that file; those of gin are returned."""
    found = []
    for block in (*blocks(text, "python"), *blocks(text, "")):
        if name := re.match(r"# (\w+\.(?:py|gin))\n", block):
            (folder / name[1]).write_text(block)
            sys.modules.pop(Path(name[1]).stem, None)  # that of another page
            found += [Path(name[1])] if name[1].endswith(".gin") else []
    return found


def commands(text: str) -> list[list[str]]:
    """The words of every command, of blocks and of tables."""
    shell = [*blocks(text, "sh"), *blocks(text, "bash")]
    lines = "\n".join(shell).replace("\\\n", " ").splitlines()
    lines += re.findall(r"`((?:syntrans|python) [^`\n]+ --[^`\n]+)`", text)
    split = [shlex.split(line, comments=True) for line in lines if "COMMAND" not in line]
    return [words for words in split if words]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's files."""
    folder = tmp_path_factory.mktemp("written")
    write_files(folder)
    return folder


@pytest.fixture
def prepared(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a reader."""
    for each in written.iterdir():
        (tmp_path / each.name).symlink_to(each)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SYNTRANS_DATA", raising=False)
    monkeypatch.delenv("SYNTRANS_CACHE", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_net", raising=False)  # that of another page
    shorten(monkeypatch)
    return tmp_path


@pytest.mark.parametrize("name", with_python())
def test_every_block_of_python_runs(name: str, prepared: Path) -> None:
    """One after the other, as in one script."""
    script = "\n\n".join(blocks(PAGES[name].read_text(), "python"))
    for long, short in SHORTER.items():
        script = script.replace(long, short)
    module = f"page_{name}"
    (prepared / f"{module}.py").write_text(script)
    importlib.import_module(module)


def test_what_is_shortened_stands_on_a_page() -> None:
    text = "".join(PAGES[name].read_text() for name in with_python())
    assert [long for long in SHORTER if long not in text] == []


def check(words: list[str]) -> None:
    """Raise where a command is none, an option is unknown or a file is missing."""
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
        assert set(rest) <= set(targets), words
    elif program == "python":
        assert (REPOSITORY / rest[0]).is_file(), words
    elif program == "syntrans":
        command, *rest = rest
        assert command in COMMANDS, words
        parser = importlib.import_module(f"syntrans_l2l.cli.{command.replace('-', '_')}")._parser()
        arguments = parser.parse_args(rest)
        files = getattr(arguments, "gin", None) or []
        for file in files if isinstance(files, list) else [files]:
            load(command, file, arguments.set)
    else:
        assert program == "pip", words


def load(command: str, file: Path, bindings: list[str]) -> None:
    """Every name in the file and the bindings is known; what they name need not be there."""
    loaders = {"check-data": load_dataset, "mine": load_mining}
    configuration_file(file)
    try:
        loaders.get(command, load_experiment)(file, bindings)
    except FileNotFoundError as error:
        assert "includes" not in str(error)
    except ImportError as error:
        assert "pip install" in str(error)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_command_can_be_parsed(name: str, prepared: Path) -> None:
    text = PAGES[name].read_text()
    write_named(PAGES["own_row"].read_text(), prepared)
    files = write_named(text, prepared)
    for words in commands(text):
        check(words)
    for file in files:
        load("run", file, ["VECTORS = 'vectors.npz'"])


@pytest.mark.parametrize(
    "line",
    [
        "make dinner",
        "python benchmarks/none.py",
        "syntrans rum --gin syntrans_demo.gin",
        "syntrans run --gin syntrans_demo.gin --outt x",
        "syntrans run --gin syntrans_deno.gin",
        "syntrans run --gin syntrans_demo.gin --set 'Experiment.episode = 3'",
        "conda install x",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    with pytest.raises((AssertionError, SystemExit, FileNotFoundError, ValueError)):
        check(shlex.split(line))


def test_links_of_the_readme_lead_somewhere() -> None:
    """Those of docs are checked by `mkdocs build --strict`."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", PAGES["README"].read_text())
    local = [link for link in links if "://" not in link]
    assert len(local) > 10
    assert [link for link in local if not (REPOSITORY / link).is_file()] == []


def test_every_page_stands_in_the_navigation() -> None:
    navigation = (REPOSITORY / "mkdocs.yml").read_text()
    named = set(re.findall(r"(\w+)\.md$", navigation, flags=re.MULTILINE))
    assert len(named) > 10 and set(PAGES) - {"README"} <= named
