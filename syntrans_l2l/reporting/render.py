"""Grids as text: Markdown, LaTeX and CSV."""

import csv
import io
import re
import unicodedata
from collections.abc import Sequence

from syntrans_l2l.reporting.grid import Cell, Estimate, Grid, one_line

_ABSENT = "–"
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "–": "--", "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "×": r"$\times$",
}  # fmt: skip


def markdown(grids: Sequence[Grid]) -> str:
    """As GitHub reads it: the best bold, the second underlined, an empty row as the rule."""
    return "\n\n".join(map(_piped, grids)) + "\n"


def latex(grids: Sequence[Grid]) -> str:
    """booktabs tables, no wider than the line; a comment names the packages they need."""
    return "% \\usepackage{booktabs,graphicx}\n" + "\n".join(map(_tabular, grids))


def comma_separated(grid: Grid) -> str:
    """CSV for spreadsheets: numbers alone, each CI in a column of its own."""
    rows = grid.rows
    estimated = [
        any(isinstance(row[place], Estimate) for row in rows) for place in range(len(grid.header))
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")

    def spread(row: list[tuple[str, str]]) -> None:
        pairs = zip(row, estimated, strict=True)
        writer.writerow(part for pair, two in pairs for part in (pair if two else pair[:1]))

    spread([(name, f"{name} ci95") for name in grid.header])
    for row in rows:
        spread(
            [
                (cell.mean_text.removeprefix("+"), cell.ci95_text)
                if isinstance(cell, Estimate)
                else (one_line(cell or ""), "")
                for cell in row
            ]
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


def _tabular(grid: Grid) -> str:
    def text(cell: Cell) -> str:
        if not isinstance(cell, Estimate):
            return _escaped_latex(_plain(cell))
        mean = {"": "{}", "best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}[cell.mark]
        return mean.format(cell.mean_text.replace("-", "$-$")) + (
            rf"\,{{\scriptsize$\pm$\,{cell.ci95_text}}}" if cell.ci95_text else ""
        )

    body = "\\midrule\n".join(
        "".join(" & ".join(map(text, row)) + " \\\\\n" for row in section)
        for section in grid.sections
    )
    header = " & ".join(map(_escaped_latex, grid.header))
    return (
        "\\begin{table*}\n\\centering\n"
        f"\\caption{{{_escaped_latex(grid.caption)}}}\n"
        "\\smallskip\\setlength{\\tabcolsep}{4pt}\n"
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
        f"\\begin{{tabular}}{{{'l' * len(grid.header)}}}\n\\toprule\n"
        f"{header} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}}}\n\\end{{table*}}\n"
    )


def _plain(cell: Cell) -> str:
    return _ABSENT if cell is None else one_line(str(cell))


def _escaped_markdown(text: str) -> str:
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\|*`\[\]~$])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)  # inside words an underscore is one


def _escaped_latex(text: str) -> str:
    """What pdfLaTeX's fonts lack becomes its plain letter, or a question mark."""
    letters = []
    for letter in one_line(text):
        if letter in _LATEX or letter.isascii():
            letters.append(_LATEX.get(letter, letter))
            continue
        plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
        letters.append("".join(_LATEX.get(each, each) for each in plain) or "?")
    return "".join(letters)
