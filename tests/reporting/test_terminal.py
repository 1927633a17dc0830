"""Tables on screens of given widths: every line is measured."""

import re

import pytest
from common import REPOSITORY
from rich.cells import cell_len

from syntrans_l2l.reporting.collection import boards, collect, newest
from syntrans_l2l.reporting.comparisons import ablation
from syntrans_l2l.reporting.grid import Cell, Estimate, Grid
from syntrans_l2l.reporting.published import published
from syntrans_l2l.reporting.records import read_accuracies
from syntrans_l2l.reporting.tables import leaderboard
from syntrans_l2l.reporting.terminal import terminal

GRID = Grid(
    "a caption with 95% and a_b. A second sentence",
    ["method", "1-shot", "minus other", "encoder", "text", "teacher images", "transductive"],
    [
        [
            ["a\n学 [b]x[/b]", Estimate(70.0, 0.5, "best"), None, "E", "file", "no", "yes"],
            ["plain", Estimate(-1.234, None, "second"), Estimate(1.0, 0.2, signed=True), "E", "no",
             "no", "no"],
        ],
        [["quoted †", Estimate(55.5, 0.7, digits=1), None, "F", None, None, None]],
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def grids() -> list[Grid]:
    """What `leaderboard --details --against protonet_cosine` has of the committed records."""
    records, _ = newest(collect([REPOSITORY / "benchmarks" / "records"])[0])
    made = boards(records)
    tables = [
        leaderboard(b, read_accuracies, quotes=published().quotes(b), details=True) for b in made
    ]
    return tables + [ablation(b, "protonet_cosine", read_accuracies) for b in made[:1]]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_line_is_wider_than_the_screen(grids: list[Grid], width: int) -> None:
    for grid in grids:
        shown = terminal([grid], width=width)
        assert max(map(cell_len, shown.splitlines())) <= width
        for row in grid.rows:  # and no number is lost
            for cell in row:
                if isinstance(cell, Estimate):
                    assert str(cell).replace(" ", "") in shown.replace(" ", "")
        caption, empty = shown.splitlines()[:2]
        assert empty == "" and grid.caption.startswith(caption.removesuffix(" ..."))
        sentence = grid.caption.partition(". ")[0]
        if len(sentence) <= width:  # else it is cut at a comma or a word
            assert caption == sentence.removesuffix(".")


def test_a_leaderboard_keeps_its_numbers_and_letters() -> None:
    lines = terminal([GRID], width=80, styled=False).splitlines()
    assert lines[0] == "a caption with 95% and a_b"
    assert lines[2].split() == ["method", "1-shot", "difference", "uses"]
    assert lines[4].split() == ["a", "学", "[b]x[/b]", "70.00", "±", "0.50", "**", "–", "TQ"]
    assert lines[5].split() == ["plain", "-1.23", "*", "+1.00", "±", "0.20"]
    starts = {cell_len(line[: line.index(text)]) for line, text in zip(
        [lines[2], lines[4], lines[5], lines[7]], ["1-shot", "70.00", "-1.23", "55.5"],
        strict=True)}  # fmt: skip
    assert len(starts) == 1
    legend = "\n".join(lines[8:])
    for said in ("** best, * second", "T text of the classes", "Q all queries", "minus other",
                 "† quoted"):  # fmt: skip
        assert said in legend
    assert "I images" not in legend and "encoder" not in legend and "file" not in legend


def test_rows_of_one_name_show_their_encoders() -> None:
    twins: list[list[Cell]] = [
        ["same", Estimate(1.0, 0.1), encoder, "no", "no", "no"] for encoder in "EF"
    ]
    header = ["method", "1-shot", "encoder", "text", "teacher images", "transductive"]
    shown = terminal([Grid("two", header, [twins])], width=80)
    assert re.findall(r"same +([EF])", shown) == ["E", "F"]


def test_numbers_that_do_not_fit_stand_below() -> None:
    count = 12
    header = ["method", *(f"data_set_{n} 1-shot" for n in range(count))]
    row: list[Cell] = [
        "a_row_of_a_rather_long_name",
        *(Estimate(10.0 + n, 0.5) for n in range(count)),
    ]
    shown = terminal([Grid("wide", header, [[row]])], width=80)
    assert max(map(cell_len, shown.splitlines())) <= 80
    found = re.findall(r"(\d\d\.00)±0\.50", shown)
    assert found == [f"{10 + n}.00" for n in range(count)]
    assert shown.count("method") == 3


def test_bold_in_a_terminal_only() -> None:
    assert "\033[1m70.00 ± 0.50 **\033[0m" in terminal([GRID], styled=True)
    assert "\033" not in terminal([GRID])


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Grid("c", ["a"], [[["word " * 100]]])
    for columns, width in (("100", 100), ("20", 80), ("999", 200)):
        monkeypatch.setenv("COLUMNS", columns)
        assert width - 5 < max(map(len, terminal([long]).splitlines())) <= width
