import csv
import io
import re

from grids import GRID, NASTY

from syntrans_l2l.reporting.grid import Estimate
from syntrans_l2l.reporting.render import comma_separated, markdown


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
    header, *rows = csv.reader(io.StringIO(comma_separated(GRID, ["nasty", "plain"])))
    assert [header[-1], *(row[-1] for row in rows)] == ["identifier", "nasty", "plain", ""]


def test_zero_has_no_minus() -> None:
    assert str(Estimate(-0.001, 0.01, signed=True)) == "+0.00 ± 0.01"
