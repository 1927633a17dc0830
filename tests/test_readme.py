"""The README: its swap-in, run as it stands there, its rows of results, its length."""

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from common import REPOSITORY, MakeArchive
from synthetic import add

from syntrans_l2l import SynTrans
from syntrans_l2l.reporting.records import RecordStore
from syntrans_l2l.semantics.bank import SemanticBank

README = (REPOSITORY / "README.md").read_text()
STEPS = "range(1000)"
ROWS = REPOSITORY / "benchmarks" / "readme_rows.py"


def swap_in() -> list[str]:
    [block] = re.findall(r"<!-- swap-in -->\n```diff\n(.*?)```", README, flags=re.DOTALL)
    lines: list[str] = [line or " " for line in block.splitlines()]
    assert all(line[:1] in (" ", "+", "-") for line in lines)
    return lines


def side(lines: list[str], mark: str) -> str:
    """The script before ("-") or after ("+"), with three steps in the place of a thousand."""
    script = "\n".join(line[1:] for line in lines if line[0] in (" ", mark)) + "\n"
    assert script.count(STEPS) == 1
    return script.replace(STEPS, "range(3)")


class Words:
    """Stands for a sentence encoder, which would be downloaded."""

    def encode_classes(self, class_names: list[str]) -> SemanticBank:
        generator = torch.Generator().manual_seed(0)
        vectors = torch.randn(len(class_names), 12, generator=generator)
        return SemanticBank(tuple(class_names), vectors, "words")


@pytest.mark.parametrize("mark", ["-", "+"])
def test_both_sides_of_the_swap_in_run(
    mark: str, make_archive: MakeArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_archive(images=20)
    (tmp_path / "data").mkdir()
    (tmp_path / "cifarfs").rename(tmp_path / "data" / "cifarfs")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("syntrans_l2l.semantics.text_encoder.SentenceEncoder", Words)
    script = tmp_path / "script.py"
    script.write_text(side(swap_in(), mark))
    end: dict[str, Any] = runpy.run_path(str(script))
    assert torch.isfinite(end["loss"]) and end["step"] == 2
    assert isinstance(end["classifier"], SynTrans) == (mark == "+")
    used = [p for group in end["optimizer"].param_groups for p in group["params"]]
    assert all(p.grad is not None for p in end["features"].parameters())
    assert any(p.grad is not None and bool(p.grad.any()) for p in used)


def test_the_swap_in_is_short() -> None:
    lines = swap_in()
    assert 0 < sum(line[0] == "+" for line in lines) < 10
    assert 0 < sum(line[0] == "-" for line in lines) < 10


def test_the_readme_is_short_and_narrow() -> None:
    lines = README.splitlines()
    assert len(lines) < 140
    assert max(map(len, lines)) <= 115


def test_the_rows_agree_with_the_committed_records(tmp_path: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    [command] = re.findall(r"benchmarks/readme_rows\.py (.*)", makefile)
    [rows] = re.findall(r"^ROWS := (.*)", makefile, flags=re.MULTILINE)
    words = shlex.split(command.replace("$(ROWS)", rows))
    words[0] = str(REPOSITORY / words[0])
    words[words.index("README.md")] = str(tmp_path / "README.md")
    (tmp_path / "README.md").write_text(README)
    assert runpy.run_path(str(ROWS))["main"](words) == 0
    agrees = (tmp_path / "README.md").read_text() == README
    assert agrees, "README.md disagrees with benchmarks/records: run make results"


def test_a_row_that_there_is_not_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(RecordStore(tmp_path))
    words = [str(tmp_path), "--readme", str(tmp_path / "none.md"), "--rows", "syntrans", "mine"]
    assert runpy.run_path(str(ROWS))["main"](words) == 2
    assert capsys.readouterr().err == "error: 0 rows are called 'mine'; rows: syntrans\n"
