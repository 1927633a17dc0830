"""Grids as LaTeX tables that fit one or two columns of text, in print of 7 pt or more."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from syntrans_l2l.reporting.citations import citation
from syntrans_l2l.reporting.grid import MINUS_SHUFFLED, Cell, Estimate, Grid, one_line

_ABOUT = {
    "rank": "rank",
    "encoder": "encoder",
    "text": "text",
    "teacher images": "teacher",
    "transductive": "transductive",
    "episodes": "episodes",
    "own training": "training",
    "selected on validation": "selected",
}  # headers of a leaderboard, and what a user calls these columns
COLUMNS = ("accuracy", "difference", "shuffled", *_ABOUT.values())
DEFAULT = ("accuracy", "difference", "shuffled", "text", "teacher", "transductive")

_PLACES = (("table", 237.0), ("table*", 496.0))  # pt: the narrowest of CVPR, NeurIPS, IEEE
_SIZES = {9: 1.03, 8: 1.06, 7: 1.14}  # pt, and how much wider small print of Computer Modern is
_WRAPPED = (inf, 120.0, 80.0, 50.0)  # pt, of a column of text
_GAP = 4.0  # pt, on each side of a column
_SHORT = {"teacher images": "teacher", "transductive": "transd."}
_ESCAPED = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "–": "--", "†": r"$^\dagger$",
    "‡": r"$^\ddagger$", "×": r"$\times$",
}  # fmt: skip


def latex(grids: Sequence[Grid], columns: Sequence[str] = DEFAULT, *, cite: bool = False) -> str:
    """booktabs tables; a comment names the package that they need.

    A table stands in one column of text where it fits there, else across two. Where it fits
    neither, its numbers are spread over several tables.

    Args:
        grids: what to show.
        columns: of a leaderboard, names of COLUMNS; other tables are shown whole.
        cite: whether rows that have a paper name its key.

    Raises:
        ValueError: an unknown column; the message lists those there are.
    """
    if unknown := set(columns) - set(COLUMNS):
        raise ValueError(
            f"no column {', '.join(sorted(unknown))} of tables; known: {', '.join(COLUMNS)}"
        )
    tables = [table for grid in grids for table in _tables(_chosen(grid, columns), cite)]
    return "% \\usepackage{booktabs}\n" + "\n".join(tables)


@dataclass(frozen=True)
class _Form:
    """How a table is set: where, in which print, and how wide a column of text may be."""

    place: str
    size: int
    wrapped: float


def _chosen(grid: Grid, columns: Sequence[str]) -> Grid:
    """Only these columns of a leaderboard, with short headers."""
    if "encoder" not in grid.header:
        return grid
    kept = [
        place for place in range(len(grid.header)) if place == 0 or _kind(grid, place) in columns
    ]
    caption, header = grid.caption, [grid.header[place] for place in kept]
    kinds = [_kind(grid, place) for place in kept]
    compared = [name for name, kind in zip(header, kinds, strict=True) if kind == "difference"]
    if references := dict.fromkeys(name.removeprefix("minus ") for name in compared):
        caption += f" Difference: minus {' or '.join(references)}."
    header = ["difference" if name in compared else _SHORT.get(name, name) for name in header]
    sections = [[[row[place] for place in kept] for row in section] for section in grid.sections]
    return Grid(caption, header, sections)


def _kind(grid: Grid, place: int) -> str:
    """What a user calls a column of a leaderboard."""
    name = grid.header[place]
    if name in _ABOUT:
        return _ABOUT[name]
    if name == MINUS_SHUFFLED:
        return "shuffled"
    return "difference" if name.startswith("minus ") else "accuracy"


def _is_number(grid: Grid, place: int) -> bool:
    return any(isinstance(row[place], Estimate) for row in grid.rows)


def _tables(grid: Grid, cite: bool) -> list[str]:
    """The grid as one table where that fits, else with some of its numbers each."""
    everything = range(len(grid.header))
    if form := _form(grid, everything, cite):
        return [_tabular(grid, everything, form, cite)]
    numbers = [place for place in everything if _is_number(grid, place)]
    others = [place for place in everything if place not in numbers]
    groups: list[list[int]] = []
    for place in numbers:
        if groups and _form(grid, sorted([*others, *groups[-1], place]), cite):
            groups[-1].append(place)
        else:
            groups.append([place])
    tables = []
    for group in groups or [[]]:
        places = sorted([*others, *group])
        form = _form(grid, places, cite) or _Form("table*", min(_SIZES), _WRAPPED[-1])
        tables.append(_tabular(grid, places, form, cite))
    return tables


def _form(grid: Grid, places: Sequence[int], cite: bool) -> _Form | None:
    """The largest print in which these columns fit, wrapped as little as possible."""
    for wrapped in _WRAPPED:
        for place, room in _PLACES:
            for size in _SIZES:
                widths = [min(_width(grid, each, size, cite), _most(grid, each, wrapped))
                          for each in places]  # fmt: skip
                if sum(widths) + 2 * _GAP * (len(places) - 1) <= room:
                    return _Form(place, size, wrapped)
    return None


def _most(grid: Grid, place: int, wrapped: float) -> float:
    return inf if _is_number(grid, place) else wrapped


def _width(grid: Grid, place: int, size: int, cite: bool) -> float:
    """Of a column in pt, without its gaps."""
    texts = [grid.header[place]]
    for row in grid.rows:
        cell = row[place]
        bold = isinstance(cell, Estimate) and cell.mark == "best"
        texts.append(_plain(cell) + ("00" if bold else ""))
        if place == 0 and cite and citation(_plain(cell)):
            texts[-1] += " [00]"
    return max(map(_ems, texts)) * size * _SIZES[size]


def _ems(text: str) -> float:
    """The width of a text in Computer Modern, in units of the size of its print."""
    wide = {" .,:;'!|()[]iljtf-†‡": 0.36, "mwMW±–": 0.92}
    return sum(
        next((width for letters, width in wide.items() if letter in letters),
             0.75 if letter.isupper() else 0.53)
        for letter in text
    )  # fmt: skip


def _tabular(grid: Grid, places: Sequence[int], form: _Form, cite: bool) -> str:
    def text(row: Sequence[Cell], place: int) -> str:
        cell = row[place]
        if not isinstance(cell, Estimate):
            key = citation(_plain(cell)) if place == 0 and cite else None
            return escaped(_plain(cell)) + (f"~\\cite{{{key}}}" if key else "")
        mean = {"": "{}", "best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}[cell.mark]
        return mean.format(cell.mean_text.replace("-", "$-$")) + (
            rf"\,$\pm$\,{cell.ci95_text}" if cell.ci95_text else ""
        )

    body = "\\midrule\n".join(
        "".join(" & ".join(text(row, place) for place in places) + " \\\\\n" for row in section)
        for section in grid.sections
    )
    header = " & ".join(escaped(grid.header[place]) for place in places)
    form_of = "".join(
        f"p{{{form.wrapped:g}pt}}"
        if _width(grid, place, form.size, cite) > _most(grid, place, form.wrapped)
        else "l"
        for place in places
    )
    return (
        f"\\begin{{{form.place}}}\n\\centering\n\\caption{{{escaped(grid.caption)}}}\n\\smallskip\n"
        f"\\fontsize{{{form.size}}}{{{1.2 * form.size:g}}}\\selectfont\n"
        f"\\setlength{{\\tabcolsep}}{{{_GAP:g}pt}}\n"
        f"\\begin{{tabular}}{{@{{}}{form_of}@{{}}}}\n\\toprule\n"
        f"{header} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n\\end{{{form.place}}}\n"
    )


def _plain(cell: Cell) -> str:
    return "–" if cell is None else one_line(str(cell))


def escaped(text: str) -> str:
    """What pdfLaTeX's fonts lack becomes its plain letter, or a question mark."""
    letters = []
    for letter in one_line(text):
        if letter in _ESCAPED or letter.isascii():
            letters.append(_ESCAPED.get(letter, letter))
            continue
        plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
        letters.append("".join(_ESCAPED.get(each, each) for each in plain) or "?")
    return "".join(letters)
