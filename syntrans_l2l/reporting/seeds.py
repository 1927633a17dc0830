"""Rows over several seeds: their mean, and how much one seed differs from the next."""

from collections.abc import Sequence

import torch

from syntrans_l2l.reporting.collection import Board
from syntrans_l2l.reporting.grid import Cell, Estimate, Grid
from syntrans_l2l.reporting.tables import name


def over_seeds(boards: Sequence[Board]) -> list[Grid]:
    """For boards that differ in their seed only, one table of all their rows.

    A cell is the mean over seeds of a row's accuracy in %, ± the sample standard deviation of
    these accuracies (divided by one less than their number). A seed is that of training and of
    the episodes; how far a mean over episodes is known stands in the tables of each seed.

    Args:
        boards: as `syntrans_l2l.reporting.collection.boards` makes them, one a seed.

    Returns:
        A table for each size of episodes and group of data sets that has two seeds or more.
    """
    groups: dict[tuple[object, ...], list[Board]] = {}
    for board in boards:
        record = board.lines[0].first
        alike = (record.ways, record.queries, *board.datasets)
        groups.setdefault(alike, []).append(board)
    return [_table(group) for group in groups.values() if len(_seeds(group)) > 1]


def _table(boards: Sequence[Board]) -> Grid:
    columns = list(dict.fromkeys(column for board in boards for column in board.columns))
    labels = list(dict.fromkeys(line.label for board in boards for line in board.lines))
    seeds = _seeds(boards)
    rows = []
    for label in labels:
        lines = [line for board in boards for line in board.lines if line.label == label]
        row: list[Cell] = [label]
        for column in columns:
            found = [line.cells[column].accuracy for line in lines if column in line.cells]
            row.append(_mean_and_spread(found))
        counts = [sum(column in line.cells for line in lines) for column in columns]
        rows.append([*row, str(min(filter(None, counts)))])
    record = boards[0].lines[0].first
    caption = (
        f"{', '.join(boards[0].datasets)}, {record.ways}-way, seeds "
        f"{', '.join(map(str, seeds))}: mean ± standard deviation over seeds. Accuracy in %; the "
        "deviation is that of a seed's accuracy, not of the mean."
    )
    header = ["method", *(name(boards[0], column) for column in columns), "seeds"]
    return Grid(caption, header, [rows])


def _mean_and_spread(accuracies: Sequence[float]) -> Estimate | None:
    if not accuracies:
        return None
    values = torch.tensor(accuracies, dtype=torch.float64)
    spread = float(values.std()) if len(accuracies) > 1 else None
    return Estimate(float(values.mean()), spread)


def _seeds(boards: Sequence[Board]) -> list[int]:
    return sorted({board.lines[0].first.seed for board in boards})
