"""Paired differences between any two rows, from the accuracies of their episodes."""

from collections.abc import Callable, Sequence

from torch import Tensor

from syntrans_l2l.evaluation.statistics import paired_ci95
from syntrans_l2l.reporting.records import Record
from syntrans_l2l.reporting.tables import Grid


def compare(
    records: Sequence[Record],
    pairs: Sequence[tuple[str, str]],
    accuracies: Callable[[Record], Tensor],
) -> Grid:
    """Row minus row over the episodes that both have seen, one column a number of shots.

    Args:
        records: of all rows and shots.
        pairs: titles of rows: (row, against).
        accuracies: the episode accuracies of a record, [E].
    """
    shots = sorted({record.shots for record in records})
    cells = {(record.method, record.shots): record for record in records}
    table = []
    for row, against in pairs:
        differences = []
        for k in shots:
            ours, theirs = (accuracies(cells[name, k]) for name in (row, against))
            both = min(len(ours), len(theirs))
            delta = paired_ci95(ours[:both], theirs[:both])
            differences.append(f"{delta.mean:+.2f} ± {delta.ci95:.2f}")
        table.append([row, against, *differences])
    return ["row", "minus", *(f"{k}-shot" for k in shots)], table
