"""Grids for a terminal: as wide as it is, with the columns that fit a screen."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syntrans_l2l.reporting.grid import (
    FOREIGN,
    MINUS_SHUFFLED,
    QUOTED,
    Cell,
    Estimate,
    Grid,
    one_line,
)

LEAST, MOST, PIPED = 80, 200, 120  # columns of a screen, and where there is none
_GAP = 2  # between columns
_FOLDED = 18  # columns of a long text, before numbers have to stand below
_MARKS = {"": "", "best": "**", "second": "*"}
_CODES = {
    "text": ("T", "text of the classes"),
    "teacher images": ("I", "images seen by the teacher"),
    "transductive": ("Q", "all queries of an episode at once"),
}  # a column of the grid: its letter and what it says
_USES = "uses"


def terminal(grids: Sequence[Grid], *, width: int | None = None, styled: bool | None = None) -> str:
    """Tables under one line of caption each, with a legend; no line is wider than the screen.

    A leaderboard shows its methods, accuracies and differences, and letters for text, teacher and
    queries; what else it has stands in table.md. Accuracies that do not fit stand below.

    Args:
        grids: what to show.
        width: columns of the screen; None asks the terminal, 80 at least and 200 at most.
        styled: whether the best numbers are bold; None: where the output is a terminal.
    """
    if width is None:
        width = min(max(shutil.get_terminal_size((PIPED, 24)).columns, LEAST), MOST)
    if styled is None:
        styled = sys.stdout.isatty()
    return "\n\n".join(_block(grid, width, styled) for grid in grids)


def _block(grid: Grid, width: int, styled: bool) -> str:
    screen = _screen(grid)
    tables = [_drawn(part, width, styled) for part in _parts(screen, width)]
    legend = [
        line for note in screen.notes for line in textwrap.wrap(note, width, subsequent_indent="  ")
    ]
    return "\n\n".join([_caption(grid.caption, width), *tables, *filter(None, ["\n".join(legend)])])


@dataclass(frozen=True)
class _Screen:
    """A grid with the columns that a screen shows, and what its signs mean."""

    grid: Grid
    notes: Sequence[str]
    tight: bool = False  # no spaces around ±


def _screen(grid: Grid) -> _Screen:
    """Letters in the place of columns of yes and no; a leaderboard keeps its numbers only."""
    header, notes = list(grid.header), []
    marks = {cell.mark for row in grid.rows for cell in row if isinstance(cell, Estimate)}
    if marks - {""}:
        notes.append(
            "** best, * second, each with all that do not differ from it; ± 95% confidence"
        )
    places = {name: header.index(name) for name in _CODES if name in header}
    if len(places) == len(_CODES):
        kept = [place for place in range(1, len(header)) if _is_number(grid, place)]
        if len({str(row[0]) for row in grid.rows}) < len(grid.rows) and "encoder" in header:
            kept.insert(0, header.index("encoder"))  # what tells rows of one name apart
        sections = [
            [[row[0], *(row[place] for place in kept), _letters(row, places)] for row in section]
            for section in grid.sections
        ]
        used = "".join(str(row[-1]) for section in sections for row in section)
        if meanings := [f"{a} {meaning}" for a, meaning in _CODES.values() if a in used]:
            notes.append(f"{_USES}: {', '.join(meanings)}")
        header = [header[0], *(header[place] for place in kept), _USES]
        grid = Grid(grid.caption, header, sections)
    if MINUS_SHUFFLED in header:
        notes.append(f"{MINUS_SHUFFLED}: minus the row's own control, text of other classes")
    references = [n[6:] for n in header if n.startswith("minus ") and n != MINUS_SHUFFLED]
    if references := list(dict.fromkeys(references)):
        notes.append(
            f"difference: minus {' or '.join(references)}, paired where the episodes are the same"
        )
        header = ["difference" if name[6:] in references else name for name in header]
    if any(QUOTED in str(row[0]) for row in grid.rows):
        notes.append(f"{QUOTED} quoted from its paper, on other episodes")
    if any(FOREIGN in str(row[0]) for row in grid.rows):
        notes.append(
            f"{FOREIGN} made elsewhere, on the same episodes; its author says what it uses"
        )
    return _Screen(Grid(grid.caption, header, grid.sections), notes)


def _letters(row: Sequence[Cell], places: dict[str, int]) -> str:
    return "".join(
        letter for name, (letter, _) in _CODES.items() if row[places[name]] not in (None, "no")
    )


def _parts(screen: _Screen, width: int) -> list[_Screen]:
    """The whole where it fits, without spaces if need be; else some numbers at a time."""
    grid = screen.grid
    tight = _Screen(grid, screen.notes, tight=True)
    everything = range(len(grid.header))
    if _width(screen, everything, longest=width) <= width:
        return [screen]
    if _width(tight, everything) <= width:
        return [tight]
    numbers = [place for place in range(1, len(grid.header)) if _is_number(grid, place)]
    others = [place for place in range(len(grid.header)) if place not in numbers]
    groups: list[list[int]] = []
    for place in numbers:
        if groups and _width(tight, sorted([*others, *groups[-1], place])) <= width:
            groups[-1].append(place)
        else:
            groups.append([place])
    return [_only(tight, sorted([*others, *group])) for group in groups or [[]]]


def _only(screen: _Screen, places: Sequence[int]) -> _Screen:
    grid = screen.grid
    sections = [[[row[place] for place in places] for row in section] for section in grid.sections]
    header = [grid.header[place] for place in places]
    return _Screen(Grid(grid.caption, header, sections), screen.notes, screen.tight)


def _width(screen: _Screen, places: Sequence[int], longest: int = _FOLDED) -> int:
    """Columns of the screen that these columns of the grid need, texts folded at `longest`."""
    grid = screen.grid
    return -_GAP + sum(
        _GAP + max(_number_width(screen, place), _header_width(grid, place))
        if _is_number(grid, place)
        else _GAP + min(longest, max(cell_len(text) for text in _texts(screen, place)))
        for place in places
    )


def _number_width(screen: _Screen, place: int) -> int:
    return max((cell_len(_text(row[place], screen.tight)) for row in screen.grid.rows), default=0)


def _header_width(grid: Grid, place: int) -> int:
    """Of its longest word: headers of numbers break at spaces."""
    return max(map(cell_len, grid.header[place].split() or [""]))


def _texts(screen: _Screen, place: int) -> list[str]:
    return [
        screen.grid.header[place],
        *(_text(row[place], screen.tight) for row in screen.grid.rows),
    ]


def _is_number(grid: Grid, place: int) -> bool:
    return any(isinstance(row[place], Estimate) for row in grid.rows)


def _drawn(screen: _Screen, width: int, styled: bool) -> str:
    grid = screen.grid
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for place, name in enumerate(grid.header):
        if _is_number(grid, place):
            room = max(_number_width(screen, place), _header_width(grid, place))
            lines = textwrap.wrap(one_line(name), room, break_on_hyphens=False)
            table.add_column(Text("\n".join(lines)), no_wrap=True, min_width=room)
        else:
            table.add_column(Text(one_line(name)), overflow="fold")
    for section in grid.sections:
        for row in section:
            table.add_row(*(_shown(cell, screen.tight) for cell in row))
        table.add_section()
    out = StringIO()
    console = Console(
        file=out, width=width, force_terminal=styled, color_system="standard" if styled else None
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


def _shown(cell: Cell, tight: bool) -> Text:
    best = isinstance(cell, Estimate) and cell.mark == "best"
    return Text(_text(cell, tight), style="bold" if best else "")


def _text(cell: Cell, tight: bool) -> str:
    if cell is None:
        return "–"
    if not isinstance(cell, Estimate):
        return one_line(cell)
    text = str(cell).replace(" ", "") if tight else str(cell)
    gap = "" if tight or not cell.mark else " "
    return f"{text}{gap}{_MARKS[cell.mark]}"


def _caption(text: str, width: int) -> str:
    """Its first sentence, cut at a comma or a word where it is wider than the screen."""
    sentence = one_line(text).partition(". ")[0].rstrip(".")
    if cell_len(sentence) <= width:
        return sentence
    cut = sentence[:width]
    return cut.rpartition(", ")[0] or textwrap.shorten(sentence, width, placeholder=" ...")
