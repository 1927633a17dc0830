"""Published accuracies, to be set beside measured ones and never mixed with them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from syntrans_l2l.reporting.collection import Board, Column
from syntrans_l2l.reporting.grid import Estimate

_FILE = Path(__file__).parent.parent / "assets" / "published.json"


@dataclass(frozen=True)
class Quote:
    """A published row: 5-way accuracies by column, and the keys of their sources."""

    method: str
    backbone: str
    cells: Mapping[Column, Estimate]
    sources: tuple[str, ...]


def quotes(board: Board, backbones: Sequence[str] | None = None) -> list[Quote]:
    """The published rows that share a column with a board.

    Args:
        board: what was measured; nothing is quoted beside other than five ways.
        backbones: quote rows on these alone; None quotes all.
    """
    if board.lines[0].first.ways != 5:
        return []
    found: dict[tuple[str, str], Quote] = {}
    for row in _published()["rows"]:
        cells = {
            (row["dataset"], int(shots)): _estimate(text)
            for shots, text in row["accuracies"].items()
            if (row["dataset"], int(shots)) in board.columns
        }
        if cells and (backbones is None or row["backbone"] in backbones):
            key = row["method"], row["backbone"]
            before = found.get(key, Quote(*key, {}, ()))
            found[key] = Quote(
                *key, {**before.cells, **cells}, (*before.sources, *row["source"].split(", "))
            )
    return list(found.values())


def backbones() -> list[str]:
    """Every backbone that has a published row."""
    return list(dict.fromkeys(row["backbone"] for row in _published()["rows"]))


def sources(quoted: Sequence[Quote]) -> str:
    """What the keys of the sources stand for."""
    keys = {key for quote in quoted for key in quote.sources}
    listed = _published()["sources"]
    return "; ".join(f"{key} {text}" for key, text in listed.items() if key in keys)


def _estimate(text: str) -> Estimate:
    """ "49.42 ± 0.78" or "67.60", with as many digits as were printed."""
    mean, _, ci95 = text.partition(" ± ")
    digits = len(mean.partition(".")[2])
    return Estimate(float(mean), float(ci95) if ci95 else None, digits=digits)


@cache
def _published() -> Any:
    return json.loads(_FILE.read_text(encoding="utf-8"))
