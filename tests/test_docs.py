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
PAGES["README"] = REPOSITORY / "README.md"
BINDINGS = [*SMALL, "VECTORS = 'vectors.npz'", "SynTransSettings.folds = 2"]
SHORTER = {  # what stands on a page, and what a test runs
    "max_epochs=10": "max_epochs=1, logger=False, enable_checkpointing=False",
    "epoch_length=100": "epoch_length=2",
    "resnet12, width=32": "resnet12, width=4",
    '"resnet10t", pretrained=True': '"resnet10t", pretrained=False',
    '"syntrans_cifarfs_cpu.gin"), []': f'"syntrans_cifarfs_cpu.gin"), {BINDINGS!r}',
}


def blocks(text: str, language: str) -> list[str]:
    """What stands between fences of a language; "" for those of none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for of, block in fenced if of == language]


def with_python() -> list[str]:
    return sorted(name for name, page in PAGES.items() if blocks(page.read_text(), "python"))


def commands(text: str) -> list[list[str]]:
    """The words of every command, of blocks and of tables."""
    lines = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
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
    for name in ("own_net", "my_rows"):  # those of another page
        monkeypatch.delitem(sys.modules, name, raising=False)
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
    for block in blocks(text, ""):
        if block.startswith("# own.gin"):
            (prepared / "own.gin").write_text(block)
    of_own_row = blocks(PAGES["own_row"].read_text(), "python")
    [rows] = [block for block in of_own_row if block.startswith("# my_rows.py")]
    (prepared / "my_rows.py").write_text(rows)
    for words in commands(text):
        check(words)
    if (prepared / "own.gin").is_file():
        load_experiment(Path("own.gin"), ["VECTORS = 'vectors.npz'"])


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
    assert named == set(PAGES) - {"README"}
