"""All figures of a board, from the diagnostics beside its records."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from safetensors import SafetensorError
from torch import Tensor

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.places import file_name
from syntrans_l2l.reporting.collection import Board
from syntrans_l2l.reporting.figures import (
    alpha,
    bars,
    card,
    classes,
    episode,
    learning,
    weights,
)
from syntrans_l2l.reporting.figures.card import class_cards
from syntrans_l2l.reporting.figures.style import Figure
from syntrans_l2l.reporting.learning import learning_by_student
from syntrans_l2l.reporting.records import Record, bank_of, read_diagnostics
from syntrans_l2l.semantics.bank_file import read_bank

TestSplit = Callable[[Record], Split]  # raises OSError or ValueError where it cannot be had
logger = logging.getLogger(__name__)
_ROWS = 5  # of an episode sheet


@dataclass(frozen=True)
class Picture:
    """A figure, the name of its files and what it shows."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class _Seen:
    record: Record
    tensors: Mapping[str, Tensor]
    class_names: list[str]


def pictures(board: Board, test_split: TestSplit) -> Iterator[Picture]:
    """The figures of each data set: of all rows, and of the most accurate one that mixes by alpha.

    What is missing or damaged is logged, and its figure left out.

    Args:
        board: the rows.
        test_split: the images that a record's episodes are made of.

    Raises:
        ImportError: the extra `figures` is not installed; the message is the recipe.
    """
    for dataset in board.datasets:
        yield _bars(board, dataset)
        seen = _diagnostics(board, dataset)
        mixing = [label for label, cells in seen.items()
                  if all("alphas" in cell.tensors for cell in cells.values())]  # fmt: skip
        if mixing:
            best = max(mixing, key=lambda label: _first(seen[label]).record.accuracy)
            yield from _of_row(dataset, best, seen)
        if sheet := _sheet(dataset, seen, test_split):
            yield sheet
        if cards := _cards(board, dataset, test_split):
            yield cards
        if curves := _learning(board, dataset):
            yield curves


def _of_row(dataset: str, label: str, seen: Mapping[str, dict[int, _Seen]]) -> Iterator[Picture]:
    cells, start = seen[label], file_name(dataset)
    tensors = {shots: cell.tensors for shots, cell in cells.items()}
    names = _first(cells).class_names
    where = f"{label} on {dataset}. "
    chosen = {shots: _selected_alpha(cell.record) for shots, cell in cells.items()}
    yield Picture(f"{start}_alpha", where + alpha.CAPTION, alpha.alpha_figure(tensors, chosen))
    yield Picture(
        f"{start}_weights",
        where + weights.CAPTION,
        weights.weights_figure(tensors, names),
    )
    gains = {}
    reference = _first(cells).record.delta_vs
    for name, other in seen.items():
        for shots in cells.keys() & other.keys():
            if other[shots].record.method == reference:
                gains[shots] = (cells[shots].tensors, other[shots].tensors)
                title = f"{label} minus {name}"
    if gains:
        figure = classes.gain_figure(dict(sorted(gains.items())), names, title)
        yield Picture(f"{start}_classes", where + classes.CAPTION, figure)


def _bars(board: Board, dataset: str) -> Picture:
    """All rows at all numbers of shots."""
    accuracies: dict[int, dict[str, tuple[float, float]]] = {}
    reads_text = {}
    for line in board.lines:
        for (name, shots), record in sorted(line.cells.items()):
            if name == dataset:
                accuracies.setdefault(shots, {})[line.label] = (record.accuracy, record.ci95)
                reads_text[line.label] = record.uses_text
    figure = bars.bars_figure(
        dict(sorted(accuracies.items())), reads_text, board.lines[0].first.ways
    )
    return Picture(f"{file_name(dataset)}_rows", f"{dataset}. {bars.CAPTION}", figure)


def _sheet(
    dataset: str, seen: Mapping[str, dict[int, _Seen]], test_split: TestSplit
) -> Picture | None:
    """The first episode at the fewest shots: the reference and the most accurate rows."""
    answered = [shots for cells in seen.values() for shots, cell in cells.items() if _said(cell)]
    if not answered:
        return None
    shots = min(answered)
    cells = {
        label: cells[shots]
        for label, cells in seen.items()
        if shots in cells and _said(cells[shots])
    }
    first = _first(cells)
    try:
        split = test_split(first.record)
    except (OSError, ValueError) as error:
        logger.warning("no episode sheet of %s: %s", dataset, error)
        return None
    same = {
        label: cell
        for label, cell in cells.items()
        if cell.record.data_fingerprint == first.record.data_fingerprint
    }
    references = {cell.record.delta_vs for cell in same.values()}
    kept = sorted(same, key=lambda label: -same[label].record.accuracy)[: _ROWS - 1]
    kept += [label for label in same if same[label].record.method in references]
    shown = {label: same[label].tensors for label in same if label in kept}
    name = f"{file_name(dataset)}_episode"
    return Picture(name, episode.CAPTION, episode.episode_sheet(shown, split))


def _said(cell: _Seen) -> bool:
    """Whether its answers are known; of rows made elsewhere, accuracies may be all there is."""
    return "shown_answers" in cell.tensors


def _cards(board: Board, dataset: str, test_split: TestSplit) -> Picture | None:
    """The first classes of the most accurate row whose phrases were kept."""
    records = [
        record
        for line in board.lines
        for (name, _), record in line.cells.items()
        if name == dataset
    ]
    for record in sorted(records, key=lambda record: -record.accuracy):
        path = bank_of(record)
        if path is None:
            continue
        try:
            cards = class_cards(read_bank(path), test_split(record))
        except (OSError, ValueError) as error:
            logger.warning("no class cards of %s: %s", dataset, error)
            return None
        return Picture(f"{file_name(dataset)}_cards", card.CAPTION, card.cards_figure(cards))
    return None


def _learning(board: Board, dataset: str) -> Picture | None:
    """Of all students whose curves were kept."""
    students = learning_by_student(board, dataset)
    if not students:
        return None
    figure = learning.learning_figure(students)
    return Picture(f"{file_name(dataset)}_learning", f"{dataset}. {learning.CAPTION}", figure)


def _diagnostics(board: Board, dataset: str) -> dict[str, dict[int, _Seen]]:
    """By row and shots; what cannot be read is counted in one warning."""
    seen: dict[str, dict[int, _Seen]] = {}
    lost = []
    for line in board.lines:
        for (name, shots), record in sorted(line.cells.items()):
            if name != dataset:
                continue
            try:
                found = _Seen(record, *read_diagnostics(Path(record.diagnostics)))
                seen.setdefault(line.label, {})[shots] = found
            except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
                lost.append(f"{record.diagnostics} ({error})")
    if lost:
        logger.warning("no figures of %d records of %s: %s", len(lost), dataset, lost[0])
    return seen


def _first(cells: Mapping[int, _Seen] | Mapping[str, _Seen]) -> _Seen:
    return next(iter(cells.values()))


def _selected_alpha(record: Record) -> float:
    return float(cast("dict[str, float]", record.selected["values"])["alpha"])
