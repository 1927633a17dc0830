"""The README's swap-in, run as it stands there."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from common import REPOSITORY, MakeArchive

from syntrans_l2l import SynTrans
from syntrans_l2l.semantics.bank import SemanticBank

README = (REPOSITORY / "README.md").read_text()
STEPS = "range(1000)"


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


def test_all_names_in_the_other_blocks_exist() -> None:
    """They name files and data that a test has not, but they compile and import."""
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
        imports = [line for line in block.splitlines() if line.startswith(("from ", "import "))]
        exec("\n".join(imports), {})
