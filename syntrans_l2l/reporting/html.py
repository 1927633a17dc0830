"""The report: one page that carries its style, its script, its data and its figures."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from syntrans_l2l.reporting.collection import Board
from syntrans_l2l.reporting.figures.album import Picture
from syntrans_l2l.reporting.figures.style import data_uri
from syntrans_l2l.reporting.grid import Cell, Estimate, Grid, one_line
from syntrans_l2l.reporting.records import Record

_TEMPLATE = Path(__file__).parent.parent / "assets" / "report.html"
_LONG = 30  # characters; longer cells wrap


def report(
    tables: Sequence[tuple[Board, Grid]],
    comparisons: Sequence[Grid],
    pictures: Iterable[Picture],
    banks: Mapping[str, str],
) -> str:
    """The page as text.

    Args:
        tables: each board with its table; rows of the first section are the board's lines.
        comparisons: further tables.
        pictures: figures with captions.
        banks: where the page of a bank's phrases lies, by `Record.descriptor_hash`.
    """
    parts = [_board(board, grid) for board, grid in tables]
    parts += [f"<h2>Differences</h2>{_table(grid, [], '')}" for grid in comparisons]
    parts += [_figure(picture) for picture in pictures]
    page = _TEMPLATE.read_text(encoding="utf-8")
    data = _data([record for board, _ in tables for record in board.records], banks)
    before, _, rest = page.partition("<!--CONTENT-->")
    between, _, after = rest.partition("<!--DATA-->")
    return "".join([before, "\n".join(parts), between, data, after])


def _board(board: Board, grid: Grid) -> str:
    ids = [[record.id for record in line.cells.values()] for line in board.lines]
    title = f"{', '.join(board.datasets)}, {board.lines[0].first.ways}-way"
    return f"<h2>{_text(title)}</h2>{_table(grid, ids, 'board')}"


def _table(grid: Grid, ids: Sequence[Sequence[str]], kind: str) -> str:
    names = _text_lines(grid.header)
    header = "".join(f'<th scope="col"><button>{_text(name)}</button></th>' for name in grid.header)
    bodies = []
    for number, section in enumerate(grid.sections):
        rows = []
        for place, row in enumerate(section):
            cells = list(map(_cell, row))
            if number == 0 and place < len(ids):
                label = _text(str(row[0]))
                cells[0] = f'<td><button class="open" aria-expanded="false">{label}</button></td>'
                joined = _text(" ".join(ids[place]))
                start = f'<tr data-records="{joined}">'
            else:
                start = '<tr class="quoted">' if number else "<tr>"
            rows.append(f"{start}{''.join(cells)}</tr>")
        bodies.append(f"<tbody>{''.join(rows)}</tbody>")
    return (
        f'<p class="caption">{_text(grid.caption)}</p><div class="scroll" tabindex="0">'
        f'<table class="{kind}" data-header="{names}"><thead><tr>{header}</tr></thead>'
        f"{''.join(bodies)}</table></div>"
    )


def _cell(cell: Cell) -> str:
    if cell is None:
        return "<td>–</td>"
    if isinstance(cell, Estimate):
        mark = f' class="{cell.mark}"' if cell.mark else ""
        return f'<td data-value="{cell.mean!r}"><span{mark}>{cell}</span></td>'
    start = '<td class="wide">' if len(cell) > _LONG else "<td>"
    return f"{start}{_text(cell)}</td>"


def _figure(picture: Picture) -> str:
    return (
        f'<figure><img src="{data_uri(picture.figure)}" alt="{_text(picture.name)}">'
        f"<figcaption>{_text(picture.caption)}</figcaption></figure>"
    )


def _data(records: Iterable[Record], banks: Mapping[str, str]) -> str:
    """What rows expand to, as JSON; a run's configuration stands there once."""
    configs: dict[str, int] = {}
    facts = {}
    for record in records:
        versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
        facts[record.id] = {
            "cell": f"{record.dataset}, {record.ways}-way {record.shots}-shot",
            "accuracy": f"{record.accuracy:.2f} ± {record.ci95:.2f}",
            "minus": f"{record.delta_vs}: {record.delta:+.2f} ± {record.delta_ci95:.2f}"
            if record.delta is not None
            else "",
            "selected": json.dumps(record.selected.get("values", "nothing")),
            "selected on": str(record.selected.get("split", "")),
            "semantics": record.semantics,
            "descriptor hash": record.descriptor_hash or "none",
            "phrases": banks.get(record.descriptor_hash or "", ""),
            "data": record.data_fingerprint,
            "versions": versions,
            "finished": f"{record.finished}, after {record.seconds:.0f} s",
            "record": record.id,
            "config": configs.setdefault(record.config, len(configs)),
        }
        facts[record.id] = {key: value for key, value in facts[record.id].items() if value != ""}
    data = {"records": facts, "configs": list(configs)}
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")  # no tag may end the script


def _text(text: str) -> str:
    return html.escape(one_line(text))


def _text_lines(lines: Sequence[str]) -> str:
    return html.escape("\n".join(map(one_line, lines)))
