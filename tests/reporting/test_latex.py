"""LaTeX tables: what they escape, which columns they have, and that they fit the page."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from grids import GRID

from syntrans_l2l.reporting.citations import citation, references
from syntrans_l2l.reporting.grid import MINUS_SHUFFLED, Estimate, Grid
from syntrans_l2l.reporting.latex import COLUMNS, latex

HEADER = [
    "method", "1-shot", "minus ProtoNet", MINUS_SHUFFLED, "rank", "encoder", "text",
    "teacher images", "transductive", "episodes", "own training", "selected on validation",
]  # fmt: skip


def board(method: str = "ProtoNet (cosine)", datasets: int = 1) -> Grid:
    """A leaderboard of two rows; its first column but one is repeated for further data sets."""
    numbers = (
        [f"data {number} 1-shot" for number in range(datasets)] if datasets > 1 else ["1-shot"]
    )
    row = [*(Estimate(68.28, 0.23) for _ in numbers), *[Estimate(1.5, 0.1, signed=True)] * 2]
    rest = ["1.0", "resnet12, width 32", "no", "yes", "no", "10,000", "none", "alpha 0.4"]
    quoted = [f"{method} † S1", *row[:-2], None, None, None, "ResNet-12", *[None] * 6]
    header = ["method", *numbers, *HEADER[2:]]
    return Grid("A caption.", header, [[[method, *row, *rest]], [quoted]])


def table_of(text: str) -> list[str]:
    """The header's cells."""
    line = next(line for line in text.splitlines() if line.startswith("method"))
    return line.removesuffix(r" \\").split(" & ")


def test_latex_escapes() -> None:
    text = latex([GRID])
    row = next(line for line in text.splitlines() if line.startswith(r"a\_b"))
    assert r"\& 50\% of \$x\$ \#1 \{y\} \textasciitilde{}\textasciicircum{}" in row
    assert r"\textbf{70.00}\,$\pm$\,0.50" in row
    assert "A ? &" in row
    assert r"\underline{$-$1.23}" in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_latex_compiles_as_it_is(tmp_path: Path) -> None:
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    (tmp_path / "page.tex").write_text(f"{document}\n{latex([GRID, GRID])}\\end{{document}}\n")
    result = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 1000


def test_columns_are_chosen() -> None:
    assert table_of(latex([board()], ["accuracy", "text"])) == ["method", "1-shot", "text"]
    for name in COLUMNS:
        assert len(table_of(latex([board()], [name]))) == 2, name
    chosen = latex([board()], ["difference", "teacher"])
    assert table_of(chosen) == ["method", "difference", "teacher"]
    assert "Difference: minus ProtoNet." in chosen
    assert table_of(latex([board()], ["shuffled"])) == ["method", MINUS_SHUFFLED]
    with pytest.raises(ValueError, match="no column colour of tables; known: accuracy, difference"):
        latex([board()], ["colour"])


def test_a_table_fits_one_column_two_columns_or_several_tables() -> None:
    narrow = latex([board()], ["accuracy", "text"])
    assert r"\begin{table}" in narrow and r"\fontsize{9}" in narrow
    wide = latex([board()], [name for name in COLUMNS if name not in ("shuffled", "selected")])
    assert r"\begin{table*}" in wide and wide.count(r"\begin{tabular}") == 1
    several = latex([board(datasets=12)], ["accuracy", "text"])
    assert several.count(r"\begin{tabular}") > 1
    for number in range(12):  # each once
        assert several.count(f"data {number} 1-shot") == 1
    for text in (narrow, wide, several):
        sizes = [int(size) for size in re.findall(r"fontsize\{(\d+)\}", text)]
        assert sizes and min(sizes) >= 7 and "resizebox" not in text


def test_long_texts_are_wrapped() -> None:
    text = latex([board(method="A method " * 15)], ["accuracy", "encoder"])
    assert re.search(r"p\{\d+pt\}", text) and text.count(r"\begin{tabular}") == 1


def test_rows_cite_their_papers_and_no_others() -> None:
    for label, key in {
        "ProtoNet (cosine), distilled": "snell2017prototypical",
        "protonet_cosine": "snell2017prototypical",
        "SemFew-Trans † S10": "zhang2024semfew",
        "SynTrans, visual only": "tang2025syntrans",
        "CLIP, zero-shot": "radford2021clip",
        "Gidaris & Komodakis † S15": "gidaris2018dynamic",
        "CLIP-LP+LN † S11": None,
        "MAMLplus": None,
        "zero_shot_ridge": None,
        "Ours ‡": None,
    }.items():
        assert citation(label) == key, label
    text = latex([board()], ["accuracy"], cite=True)
    assert text.count(r"~\cite{snell2017prototypical}") == 2
    entries = references(["ProtoNet", "MAML", "Ours"])
    assert re.findall(r"@\w+\{(\w+),", entries) == ["snell2017prototypical", "finn2017maml"]
    assert "author = {Finn, Chelsea and Abbeel, Pieter and Levine, Sergey}" in entries
    assert entries.count("{") == entries.count("}")
