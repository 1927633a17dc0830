"""Grids as text: Markdown and CSV."""

import csv
import io
import re
from collections.abc import Sequence

from syntrans_l2l.reporting.grid import Cell, Estimate, Grid, one_line

_ABSENT = "–"


def markdown(grids: Sequence[Grid]) -> str:
    """As GitHub reads it: the best bold, the second underlined, an empty row as the rule."""
    return "\n\n".join(map(_piped, grids)) + "\n"


def comma_separated(grid: Grid, identifiers: Sequence[str] = ()) -> str:
    """CSV for spreadsheets and scripts: numbers only, each CI in a column of its own.

    Args:
        grid: the table.
        identifiers: what records call the methods of its first rows, for a last column.
    """
    rows = grid.rows
    estimated = [
        any(isinstance(row[place], Estimate) for row in rows) for place in range(len(grid.header))
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")

    def spread(row: list[tuple[str, str]], identifier: str) -> None:
        pairs = zip(row, estimated, strict=True)
        cells = [part for pair, two in pairs for part in (pair if two else pair[:1])]
        writer.writerow([*cells, identifier] if identifiers else cells)

    spread([(name, f"{name} ci95") for name in grid.header], "identifier")
    quoted = [""] * (len(rows) - len(identifiers))  # they have none
    for row, identifier in zip(rows, [*identifiers, *quoted], strict=True):
        spread(
            [
                (cell.mean_text.removeprefix("+"), cell.ci95_text)
                if isinstance(cell, Estimate)
                else (one_line(cell or ""), "")
                for cell in row
            ],
            identifier,
        )
    return out.getvalue()


def _piped(grid: Grid) -> str:
    def text(cell: Cell) -> str:
        plain = _escaped_markdown(_plain(cell))
        mark = cell.mark if isinstance(cell, Estimate) else ""
        return {"": plain, "best": f"**{plain}**", "second": f"<ins>{plain}</ins>"}[mark]

    lines = [[_escaped_markdown(name) for name in grid.header], ["---"] * len(grid.header)]
    for number, section in enumerate(grid.sections):
        lines += [[""] * len(grid.header)] if number else []
        lines += [[text(cell) for cell in row] for row in section]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{_escaped_markdown(one_line(grid.caption))}\n\n{table}"


def _plain(cell: Cell) -> str:
    return _ABSENT if cell is None else one_line(str(cell))


def _escaped_markdown(text: str) -> str:
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\|*`\[\]~$])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)  # inside words an underscore is one
