"""Turn the records of any number of runs into tables, figures and a page.

    syntrans leaderboard results/ more/

prints the table and writes table.md, table.tex, table.csv, report.html and figures/ below --out;
name formats to write these alone. Figures need the extra: pip install "syntrans-l2l[figures]".
The episode sheet reads images below $SYNTRANS_DATA (default ~/data).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from syntrans_l2l.cli.common import guarded, parser

if TYPE_CHECKING:
    from syntrans_l2l.datasets.base import Split
    from syntrans_l2l.reporting.collection import Board
    from syntrans_l2l.reporting.grid import Grid
    from syntrans_l2l.reporting.records import Record

FORMATS = ("markdown", "latex", "csv", "html", "figures")


def main(argv: Sequence[str] | None = None) -> int:
    """Collect, compare, write; 0 when all went well, 2 after bad input."""
    arguments = _parser().parse_args(argv)
    return guarded(lambda: _tabulate(arguments))


def _tabulate(arguments: argparse.Namespace) -> int:
    # imported after the arguments are read: --help needs none of it
    from syntrans_l2l.reporting.collection import boards, collect, newest
    from syntrans_l2l.reporting.comparisons import ablation, having
    from syntrans_l2l.reporting.published import published_with
    from syntrans_l2l.reporting.readme import RESULTS, refreshed
    from syntrans_l2l.reporting.records import read_accuracies
    from syntrans_l2l.reporting.render import markdown
    from syntrans_l2l.reporting.tables import leaderboard
    from syntrans_l2l.reporting.terminal import terminal

    found, problems = collect(arguments.folders)
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    if not found:
        raise ValueError(f"no usable record in {', '.join(map(str, arguments.folders))}")
    records, older = newest(found)
    quoted = published_with(arguments.published)
    tables = [
        (
            board,
            leaderboard(
                board,
                read_accuracies,
                quotes=quoted.quotes(board, arguments.backbones),
                details=arguments.details or "selected" in (arguments.columns or ()),
            ),
        )
        for board in boards(records)
    ]
    differences = [
        ablation(board, row, read_accuracies)
        for row in arguments.against
        for board in having(row, [board for board, _ in tables])
    ]
    grids = [grid for _, grid in tables] + differences
    if arguments.readme:
        text = arguments.readme.read_text(encoding="utf-8")
        arguments.readme.write_text(refreshed(text, RESULTS, markdown(grids)), encoding="utf-8")
    formats = [name for name in FORMATS if getattr(arguments, name)]
    if not formats and not arguments.readme:
        formats = list(FORMATS)
    if formats:
        _write(arguments, formats, tables, differences)
    print(terminal(grids))
    if older:
        print(
            f"\n{len(older)} older records of the same rows are left out (--duplicates lists them)"
        )
    if arguments.duplicates:
        print(*map(_described, older), sep="\n")
    if formats:
        print(f"\n{', '.join(formats)} in {arguments.out}")
    return 0


def _write(
    arguments: argparse.Namespace,
    formats: Sequence[str],
    tables: Sequence[tuple["Board", "Grid"]],
    differences: Sequence["Grid"],
) -> None:
    from syntrans_l2l.reporting.citations import references
    from syntrans_l2l.reporting.figures.album import pictures
    from syntrans_l2l.reporting.figures.style import save
    from syntrans_l2l.reporting.html import report
    from syntrans_l2l.reporting.latex import DEFAULT, latex
    from syntrans_l2l.reporting.render import comma_separated, markdown

    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    grids = [grid for _, grid in tables] + list(differences)
    if "markdown" in formats:
        (out / "table.md").write_text(markdown(grids), encoding="utf-8")
    if "latex" in formats:
        text = latex(grids, arguments.columns or DEFAULT, cite=arguments.cite)
        (out / "table.tex").write_text(text, encoding="utf-8")
    if arguments.cite:
        labels = [str(row[0]) for grid in grids for row in grid.rows]
        (out / "references.bib").write_text(references(labels), encoding="utf-8")
    if "csv" in formats:
        known = [[line.first.method for line in board.lines] for board, _ in tables]
        for number, grid in enumerate(grids, start=1):
            name = "table.csv" if number == 1 else f"table_{number}.csv"
            identifiers = known[number - 1] if number <= len(known) else ()
            (out / name).write_text(comma_separated(grid, identifiers), encoding="utf-8")
    if "html" in formats or "figures" in formats:
        album = [picture for board, _ in tables for picture in pictures(board, _test_split)]
        if "figures" in formats:
            for picture in album:
                save(picture.figure, out / "figures", picture.name)
        if "html" in formats:
            page = report(tables, differences, album, _bank_pages(tables, out))
            (out / "report.html").write_text(page, encoding="utf-8")


def _bank_pages(tables: Sequence[tuple["Board", "Grid"]], out: Path) -> dict[str, str]:
    """Write the phrases that records kept as pages, and say where: by hash, from the report."""
    from syntrans_l2l.reporting.bank_page import page
    from syntrans_l2l.reporting.records import bank_of
    from syntrans_l2l.semantics.bank_file import read_bank

    written: dict[str, str] = {}
    for record in (record for board, _ in tables for record in board.records):
        path = bank_of(record)
        if path is None or path.stem in written:
            continue
        try:
            text = page(read_bank(path), {})
        except (OSError, ValueError) as error:
            print(f"warning: no page of {path}: {error}", file=sys.stderr)
            continue
        name = written[path.stem] = f"banks/{path.stem}.html"
        (out / "banks").mkdir(exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
    return written


def _test_split(record: "Record") -> "Split":
    """The images that a record's episodes are made of."""
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.datasets import benchmark
    from syntrans_l2l.places import Places

    places = Places.of()
    data = benchmark(record.dataset).load(places.root, Cache(places.cache))
    if data.fingerprint != record.data_fingerprint:
        raise ValueError(f"the images below {places.root} are not those of the records")
    return data.test


def _described(record: "Record") -> str:
    where = Path(record.episode_accuracies).parent.parent
    return (
        f"older: {record.method}, {record.dataset} {record.shots}-shot, {record.accuracy:.2f} ± "
        f"{record.ci95:.2f}, finished {record.finished}, record {record.id} in {where}"
    )


def _parser() -> argparse.ArgumentParser:
    made = parser("leaderboard", __doc__)
    made.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="where to look for results.jsonl, at any depth",
    )
    made.add_argument(
        "--out",
        type=Path,
        default=Path("results/leaderboard"),
        metavar="DIR",
        help="where to write (default: results/leaderboard)",
    )
    for name in FORMATS:
        made.add_argument(f"--{name}", action="store_true", help=f"write {name}")
    made.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="ROW",
        help="an ablation table: the paired difference of every row to this one; may be repeated",
    )
    made.add_argument(
        "--backbones",
        nargs="*",
        metavar="NAME",
        help='quote published rows on these alone, such as "ResNet-12"; none named, none quoted',
    )
    made.add_argument(
        "--published",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="quote the rows of this JSON file too; may be repeated",
    )
    made.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        help="of LaTeX tables: accuracy difference shuffled rank encoder text teacher transductive "
        "episodes training selected (default: accuracy difference shuffled text teacher "
        "transductive)",
    )
    made.add_argument(
        "--cite",
        action="store_true",
        help="LaTeX rows name their papers by \\cite; references.bib holds these",
    )
    made.add_argument(
        "--details",
        action="store_true",
        help="also the recorded differences to the reference, and what validation selected",
    )
    made.add_argument(
        "--duplicates", action="store_true", help="list older records of the same rows"
    )
    made.add_argument(
        "--readme", type=Path, metavar="FILE", help="refresh the block of results in this file"
    )
    return made
