import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from syntrans_l2l.reporting.grid import Estimate, Grid
from syntrans_l2l.reporting.render import comma_separated, latex, markdown

NASTY = "a_b & 50% of $x$ #1 {y} ~^\\ <script>alert(1)</script> | *z* `q`\nÄ 学"
GRID = Grid(
    "a caption with 95% and a_b",
    ["method", "1-shot", "text"],
    [
        [
            [NASTY, Estimate(70.0, 0.5, "best"), "no"],
            ["plain", Estimate(-1.234, None, "second", signed=True), None],
        ],
        [["quoted †", Estimate(55.5, 0.7, digits=1), None]],
    ],
)


def test_markdown_has_the_same_cells_in_every_line() -> None:
    table = [line for line in markdown([GRID]).splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [4] * 6
    assert "**70.00 ± 0.50**" in table[2] and "&lt;script&gt;" in table[2]
    assert "<ins>-1.23</ins>" in table[3] and "| – |" in table[3]
    assert table[4] == "|  |  |  |" and "55.5 ± 0.7" in table[5]


def test_csv_reads_back_with_intervals_apart() -> None:
    header, *rows = csv.reader(io.StringIO(comma_separated(GRID)))
    assert header == ["method", "1-shot", "1-shot ci95", "text"]
    assert rows[0] == [NASTY.replace("\n", " "), "70.00", "0.50", "no"]
    assert rows[1] == ["plain", "-1.23", "", ""]


def test_latex_escapes() -> None:
    text = latex([GRID])
    row = next(line for line in text.splitlines() if line.startswith(r"a\_b"))
    assert r"\& 50\% of \$x\$ \#1 \{y\} \textasciitilde{}\textasciicircum{}" in row
    assert r"\textbf{70.00}\,{\scriptsize$\pm$\,0.50}" in row
    assert "A ? &" in row
    assert r"\underline{$-$1.23}" in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_latex_compiles_as_it_is(tmp_path: Path) -> None:
    document = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
    (tmp_path / "page.tex").write_text(f"{document}\n{latex([GRID, GRID])}\\end{{document}}\n")
    result = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 1000


def test_zero_has_no_minus() -> None:
    assert str(Estimate(-0.001, 0.01, signed=True)) == "+0.00 ± 0.01"
