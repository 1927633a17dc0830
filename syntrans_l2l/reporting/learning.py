"""How encoders learnt: losses and validation accuracies by epoch, kept beside the records."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from syntrans_l2l.atomic import atomic
from syntrans_l2l.reporting.collection import Board

Learning = Mapping[str, Sequence[float]]  # "loss" and "validation", a number an epoch
logger = logging.getLogger(__name__)


def keep_learning(out: Path, encoder: str, learning: Learning) -> None:
    """Write `learning/ENCODER.json`, where the records of that encoder find it.

    Args:
        out: the folder of the records.
        encoder: its hash, as `Record.identity` has it.
        learning: what to keep, once; nothing is written where there is nothing.
    """
    path = out / "learning" / f"{encoder}.json"
    if path.exists() or not any(learning.values()):
        return
    path.parent.mkdir(exist_ok=True)
    content = {name: list(values) for name, values in learning.items()}
    with atomic(path) as partial:
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")


def learning_by_student(board: Board, dataset: str) -> dict[str, Learning]:
    """What was kept of a data set's students, by name; rows tell those of one name apart.

    What cannot be read is logged and left out.
    """
    found: dict[str, tuple[str, str, Learning]] = {}  # by hash: name, row, curves
    for line in board.lines:
        for (name, _), record in line.cells.items():
            encoder = record.identity.get("encoder", "")
            path = Path(record.diagnostics).parent.parent / "learning" / f"{encoder}.json"
            if name != dataset or encoder in found or not path.is_file():
                continue
            try:
                found[encoder] = (record.student, line.label, _read(path))
            except (OSError, ValueError) as error:
                logger.warning("no learning curves of %s: %s", record.student, error)
    names = [student for student, _, _ in found.values()]
    return {
        student if names.count(student) == 1 else f"{student}: {row}": curves
        for student, row, curves in found.values()
    }


def _read(path: Path) -> Learning:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not all(map(_numbers, content.values())):
        raise ValueError(f"{path} holds no learning curves")
    return content


def _numbers(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(each, int | float) for each in values)
