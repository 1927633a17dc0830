"""Rows and their own shuffled controls: what the text is worth."""

from syntrans_l2l.reporting.collection import Board, Column
from syntrans_l2l.reporting.records import Record

_VARIANT = "variant"  # the setting that makes a control of a row
_SAME = ("code", "encoder", "semantics", "data", "episodes")  # of the identity


def controls(board: Board, column: Column) -> dict[str, Record]:
    """By the id of each row that has one in this column, its shuffled control.

    A control is the same method at the same settings, whose variant is "shuffled" and not "full",
    on the same encoder, class vectors, data and episodes, from the same seed of training.
    Displayed names say nothing of it. Records of schema 2 lack what is needed to find it.
    """
    records = [line.cells[column] for line in board.lines if column in line.cells]
    shuffled = [record for record in records if record.settings.get(_VARIANT) == "shuffled"]
    return {
        record.id: control
        for record in records
        if record.settings.get(_VARIANT) == "full"
        for control in shuffled
        if record.identity and _of(record) == _of(control)
    }


def _of(record: Record) -> tuple[object, ...]:
    """All that a row shares with its control."""
    settings = {name: value for name, value in record.settings.items() if name != _VARIANT}
    parts = [record.identity.get(name) for name in _SAME]
    return settings, record.training_seed, record.seed, *parts
