"""Tables of records: methods in rows, shots in columns."""

from collections.abc import Sequence

from syntrans_l2l.reporting.records import Record

Grid = tuple[list[str], list[list[str]]]  # header and rows

_NOTES = {
    "generated": "The images are drawn by this package: the numbers say nothing about photographs."
}


def rows(records: Sequence[Record]) -> Grid:
    """Header and rows of the table, one row a method in the order of the records."""
    shots = sorted({record.shots for record in records})
    methods = list(dict.fromkeys(record.method for record in records))
    reference = next((record.delta_vs for record in records if record.delta_vs), None)
    header = ["method"]
    for k in shots:
        header.append(f"{k}-shot")
        if reference:
            header.append(f"minus {reference}")
    header += ["encoder", "text", "teacher images", "transductive", "episodes"]
    header += ["selected on validation", "own training"]
    table = []
    for method in methods:
        cells = {record.shots: record for record in records if record.method == method}
        row = [method]
        for k in shots:
            cell = cells.get(k)
            row.append(f"{cell.accuracy:.2f} ± {cell.ci95:.2f}" if cell else "")
            if reference:
                row.append(_delta(cell))
        first = next(iter(cells.values()))
        row += [
            first.student,
            first.semantics if first.uses_text else "no",
            "yes" if first.uses_teacher_images else "no",
            "yes" if first.is_transductive else "no",
            f"{first.episodes:,}",
            "; ".join(_selected(cells[k]) for k in shots if k in cells and cells[k].selected)
            or "nothing",
            first.budget,
        ]
        table.append(row)
    return header, table


def caption(records: Sequence[Record]) -> str:
    """What the numbers of the table are."""
    record = records[0]
    return (
        f"{record.dataset}, {record.ways}-way, {record.queries} queries a class, "
        f"episode seed {record.seed}. Accuracy in % with its 95% "
        "confidence interval; differences are paired over the same episodes. BatchNorm in eval "
        f"mode unless a row is transductive. {_NOTES.get(record.dataset, '')}".rstrip()
    )


def markdown(records: Sequence[Record], comparisons: Grid | None = None) -> str:
    """The table, and that of `comparisons` below it, as GitHub reads them."""
    grids = [rows(records)] + ([comparisons] if comparisons else [])
    return "\n\n".join([caption(records), *map(_markdown_grid, grids)]) + "\n"


def terminal(records: Sequence[Record], comparisons: Grid | None = None) -> str:
    """The same in aligned columns."""
    grids = [rows(records)] + ([comparisons] if comparisons else [])
    return "\n\n".join([caption(records), *map(_aligned_grid, grids)])


def _markdown_grid(grid: Grid) -> str:
    header, table = grid
    lines = [header, ["---"] * len(header), *table]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _aligned_grid(grid: Grid) -> str:
    header, table = grid
    widths = [max(map(len, column)) for column in zip(header, *table, strict=True)]
    lines = [header, ["-" * width for width in widths], *table]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _delta(record: Record | None) -> str:
    if record is None or record.delta is None:
        return ""
    return f"{record.delta:+.2f} ± {record.delta_ci95:.2f}"


def _selected(record: Record) -> str:
    values = record.selected.get("values", {})
    assert isinstance(values, dict)
    chosen = ", ".join(f"{name} {value}" for name, value in values.items())
    return f"{record.shots}-shot: {chosen}"
