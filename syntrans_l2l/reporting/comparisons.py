"""Differences between any two rows of a board."""

from collections.abc import Sequence

from syntrans_l2l.reporting.collection import Board, Line, stand_on_different_encoders
from syntrans_l2l.reporting.grid import Cell, Estimate, Grid
from syntrans_l2l.reporting.labels import title
from syntrans_l2l.reporting.records import Record
from syntrans_l2l.reporting.tables import ENCODERS_DIFFER, name
from syntrans_l2l.reporting.ties import Accuracies, difference


def compare(board: Board, pairs: Sequence[tuple[str, str]], accuracies: Accuracies) -> Grid:
    """Row minus row in each column that both have.

    Args:
        board: all rows.
        pairs: labels of rows or names of methods: (row, against).
        accuracies: the accuracies of a record's episodes, [E].

    Raises:
        ValueError: a name fits no row, or several.
    """
    rows, compared = [], list[list[Record]]()
    for pair in pairs:
        ours, theirs = (_line(board, each) for each in pair)
        compared.append([*ours.cells.values(), *theirs.cells.values()])
        differences: list[Cell] = []
        for column in board.columns:
            if column not in ours.cells or column not in theirs.cells:
                differences.append(None)
                continue
            delta = difference(ours.cells[column], theirs.cells[column], accuracies)
            differences.append(Estimate(delta.mean, delta.ci95, signed=True))
        rows.append([ours.label, theirs.label, *differences])
    header = ["row", "minus", *(name(board, column) for column in board.columns)]
    caption = (
        "Differences in points with their 95% confidence interval, paired where the episodes "
        "are the same."
    )
    if any(map(stand_on_different_encoders, compared)):
        caption += f" {ENCODERS_DIFFER}"
    return Grid(caption, header, [rows])


def ablation(board: Board, against: str, accuracies: Accuracies) -> Grid:
    """All rows minus one; raises ValueError where its name fits no row, or several."""
    reference = _line(board, against).label
    others = [line.label for line in board.lines if line.label != reference]
    return compare(board, [(label, reference) for label in others], accuracies)


def having(row: str, boards: Sequence[Board]) -> Sequence[Board]:
    """The boards that have a row of this name; all of them where none has, to be told so."""
    return [board for board in boards if _fitting(board, row)] or boards


def _fitting(board: Board, label: str) -> list[Line]:
    return [
        line for line in board.lines if label in (line.label, line.first.method, title(line.first))
    ]


def _line(board: Board, label: str) -> Line:
    fitting = _fitting(board, label)
    if len(fitting) == 1:
        return fitting[0]
    what = "several rows are" if fitting else "no row is"
    labels = ", ".join(repr(line.label) for line in fitting or board.lines)
    raise ValueError(f"{what} called {label!r}; choose one of {labels}")
