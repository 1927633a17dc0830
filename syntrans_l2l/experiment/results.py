"""What `evaluate` returns: records, and tables and figures made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.reporting.collection import Board, boards
from syntrans_l2l.reporting.comparisons import compare
from syntrans_l2l.reporting.figures.album import pictures
from syntrans_l2l.reporting.figures.style import save
from syntrans_l2l.reporting.grid import Cell, Estimate, Grid
from syntrans_l2l.reporting.latex import latex
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.reporting.render import markdown
from syntrans_l2l.reporting.tables import leaderboard
from syntrans_l2l.reporting.terminal import terminal


@dataclass(frozen=True, kw_only=True)
class Results:
    """The records of one evaluation.

    Args:
        records: one a row and number of shots.
        store: where they lie.
        test: the images that the episodes are made of.
        comparisons: further pairs of rows whose differences the tables show.
        folder: keeps a temporary store alive as long as this object.
    """

    records: Sequence[Record]
    store: RecordStore
    test: Split
    comparisons: Sequence[tuple[str, str]] = ()
    folder: "TemporaryDirectory[str] | None" = None

    def table(self) -> str:
        """As a terminal shows it."""
        return terminal(self._grids())

    def markdown(self) -> str:
        """As GitHub shows it."""
        return markdown(self._grids())

    def latex(self) -> str:
        """With booktabs."""
        return latex(self._grids())

    def figures(self, folder: str | Path) -> list[Path]:
        """Draw the figures into `folder`, as PNG and PDF; features have no sheet of an episode.

        Returns:
            the PNG files.

        Raises:
            ImportError: the extra `figures` is not installed; the message is the recipe.
        """
        made = []
        for picture in pictures(self._board(), lambda record: self._images()):
            save(picture.figure, Path(folder), picture.name)
            made.append(Path(folder) / f"{picture.name}.png")
        return made

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return "".join(_html(grid) for grid in self._grids())

    def _images(self) -> Split:
        if self.test.images.ndim == 2:
            raise ValueError("features hold no images")
        return self.test

    def _board(self) -> Board:
        [board] = boards(self.records)
        return board

    def _grids(self) -> list[Grid]:
        board = self._board()
        grids = [leaderboard(board, self.store.accuracies, details=True)]
        if self.comparisons:
            grids.append(compare(board, self.comparisons, self.store.accuracies))
        return grids


def _html(grid: Grid) -> str:
    """A table as plain HTML, marks as GitHub shows them."""
    marks = {"": "{}", "best": "<strong>{}</strong>", "second": "<u>{}</u>"}

    def cell(content: Cell) -> str:
        mark = marks[content.mark if isinstance(content, Estimate) else ""]
        return f"<td>{mark.format(escape('–' if content is None else str(content)))}</td>"

    header = "".join(f"<th>{escape(name)}</th>" for name in grid.header)
    rows = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in grid.rows)
    return (
        f"<table><caption>{escape(grid.caption)}</caption><thead><tr>{header}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
