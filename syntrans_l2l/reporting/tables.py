"""Tables of records: methods in rows, shots in columns."""

from collections.abc import Sequence

from syntrans_l2l.reporting.records import Record


def rows(records: Sequence[Record]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table, one row a method in the order of the records."""
    shots = sorted({record.shots for record in records})
    methods = list(dict.fromkeys(record.method for record in records))
    reference = next((record.delta_vs for record in records if record.delta_vs), None)
    header = ["method"]
    for k in shots:
        header.append(f"{k}-shot")
        if reference:
            header.append(f"minus {reference}")
    header += ["text", "transductive", "episodes", "selected on validation", "own training"]
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
            first.semantics if first.uses_text else "no",
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
        f"student {record.student}, episode seed {record.seed}. Accuracy in % with its 95% "
        "confidence interval; differences are paired over the same episodes. BatchNorm in eval "
        "mode unless a row is transductive."
    )


def markdown(records: Sequence[Record]) -> str:
    """The table as GitHub reads it."""
    header, table = rows(records)
    lines = [header, ["---"] * len(header), *table]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{caption(records)}\n\n{body}\n"


def terminal(records: Sequence[Record]) -> str:
    """The table in aligned columns."""
    header, table = rows(records)
    columns = list(zip(header, *table, strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, ["-" * width for width in widths], *table)
    ]
    return caption(records) + "\n\n" + "\n".join(lines)


def _delta(record: Record | None) -> str:
    if record is None or record.delta is None:
        return ""
    return f"{record.delta:+.2f} ± {record.delta_ci95:.2f}"


def _selected(record: Record) -> str:
    values = record.selected.get("values", {})
    assert isinstance(values, dict)
    chosen = ", ".join(f"{name} {value}" for name, value in values.items())
    return f"{record.shots}-shot: {chosen}"
