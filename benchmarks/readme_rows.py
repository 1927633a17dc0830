"""Refresh the README's few rows of results from committed records.

    python benchmarks/readme_rows.py benchmarks/records/tables/cifarfs_clip --readme README.md \\
        --rows protonet_cosine semfew syntrans
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from syntrans_l2l.reporting.collection import Board, boards, collect, newest
from syntrans_l2l.reporting.grid import Cell, Estimate, Grid
from syntrans_l2l.reporting.labels import title
from syntrans_l2l.reporting.readme import ROWS, refreshed
from syntrans_l2l.reporting.records import Record
from syntrans_l2l.reporting.render import markdown


def short(tables: Sequence[Board], names: Sequence[str]) -> Grid:
    """Accuracy for each data set and number of shots.

    Of one data set, the paired difference to the reference too; of several it would take more
    columns than a README has. Data sets whose students were trained otherwise share no table,
    and stand side by side here all the same.

    Raises:
        ValueError: a name is that of no row, or of several, or the row lacks a column.
    """
    datasets = list(dict.fromkeys(name for board in tables for name in board.datasets))
    columns = [column for board in tables for column in board.columns]
    every = [line for board in tables for line in board.lines]
    alone = len(datasets) == 1
    header, rows = ["method"], []
    for dataset, shots in columns:
        header += [f"{shots}-shot", "difference"] if alone else [f"{dataset}, {shots}-shot"]
    for name in names:
        lines = [line for line in every if line.first.method == name]
        cells = {column: record for line in lines for column, record in line.cells.items()}
        if not lines or sum(len(line.cells) for line in lines) > len(cells):
            known = ", ".join(line.label for line in every)
            raise ValueError(f"{len(lines)} rows are called {name!r}; rows: {known}")
        if missing := [f"{d}, {k}-shot" for d, k in columns if (d, k) not in cells]:
            raise ValueError(f"{name!r} has no record of {'; '.join(missing)}")
        row: list[Cell] = [title(lines[0].first)]
        for column in columns:
            record = cells[column]
            row.append(Estimate(record.accuracy, record.ci95))
            if alone:
                row.append(_difference(record))
        rows.append(row)
    chosen = [line.first for line in every if line.first.method in names]
    texts = dict.fromkeys(record.semantics for record in chosen if record.uses_text)
    first = next(record for record in chosen if record.method == names[0])
    compared = f", and paired difference to {rows[0][0]}," if alone else ""
    caption = (
        f"{', '.join(datasets)}, {first.ways}-way, {first.queries} queries a class, "
        f"{first.episodes:,} episodes, encoder {first.student}, text {', '.join(texts)}. Accuracy "
        f"in %{compared} with 95% intervals."
    )
    return Grid(caption, header, [rows])


def _difference(record: Record) -> Estimate | None:
    if record.delta is None:
        return None
    return Estimate(record.delta, record.delta_ci95, signed=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Collect, choose, write; 0 when all went well, 2 after bad input."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="records")
    parser.add_argument("--rows", nargs="+", required=True, metavar="ROW", help="in this order")
    parser.add_argument(
        "--readme", type=Path, required=True, metavar="FILE", help="what to refresh"
    )
    arguments = parser.parse_args(argv)
    try:
        found, _ = collect(arguments.folders)
        tables = boards(newest(found)[0])
        caption, _, table = markdown([short(tables, arguments.rows)]).partition("\n\n")
        text = arguments.readme.read_text(encoding="utf-8")
        arguments.readme.write_text(
            refreshed(text, ROWS, f"{fill(caption, 105)}\n\n{table}"), encoding="utf-8"
        )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
