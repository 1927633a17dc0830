"""Published accuracies, to be set beside measured ones and never mixed with them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from syntrans_l2l.reporting.collection import Board, Column
from syntrans_l2l.reporting.grid import Estimate

_FILE = Path(__file__).parent.parent / "assets" / "published.json"
_FORM = (
    'published rows are JSON such as {"sources": {"M1": "my paper"}, "rows": [{"dataset": '
    '"cifar_fs", "method": "Mine", "backbone": "ResNet-12", "accuracies": {"1": "72.0 ± 0.7", '
    '"5": "84.2"}, "source": "M1"}]}, with a "group" where a row belongs below a rule of its own, '
    'and a "note" where readers must know more'
)


_NUMBER = r"\d+\.\d+( ± \d+\.\d+)?"


@dataclass(frozen=True)
class Quote:
    """A published row: 5-way accuracies by column, and their sources by key.

    Rows of one `group` stand together below a rule; the empty group comes first. `notes` are what
    readers must know of the figures on a data set, by its name.
    """

    method: str
    backbone: str
    cells: Mapping[Column, Estimate]
    sources: Mapping[str, str]
    group: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """Published rows, and what the keys of their sources stand for."""

    sources: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]

    @property
    def backbones(self) -> list[str]:
        """Every backbone that has a row."""
        return list(dict.fromkeys(row["backbone"] for row in self.rows))

    def quotes(self, board: Board, on: Sequence[str] | None = None) -> list[Quote]:
        """The rows that share a column with a board.

        Args:
            board: what was measured; nothing is quoted beside other than five ways.
            on: quote rows on these backbones only; None quotes all.

        Raises:
            ValueError: no row has such a backbone; the message lists those there are.
        """
        for backbone in on or ():
            if backbone not in self.backbones:
                raise ValueError(
                    f"no published row has the backbone {backbone!r}; known: "
                    f"{', '.join(self.backbones)}"
                )
        if board.lines[0].first.ways != 5:
            return []
        found: dict[tuple[str, str], Quote] = {}
        for row in self.rows:
            cells = {
                (row["dataset"], int(shots)): _estimate(text)
                for shots, text in row["accuracies"].items()
                if (row["dataset"], int(shots)) in board.columns
            }
            if cells and (on is None or row["backbone"] in on):
                key, group = (row["method"], row["backbone"]), row.get("group", "")
                before = found.get(key, Quote(*key, {}, {}))
                said = {each: self.sources[each] for each in row["source"].split(", ")}
                notes = {row["dataset"]: row["note"]} if "note" in row else {}
                found[key] = Quote(
                    *key,
                    {**before.cells, **cells},
                    {**before.sources, **said},
                    group,
                    {**before.notes, **notes},
                )
        return sorted(found.values(), key=lambda quote: bool(quote.group))


def sources(quoted: Sequence[Quote]) -> str:
    """What the keys of the sources of some rows stand for, and the notes on these rows."""
    found = {key: text for quote in quoted for key, text in quote.sources.items()}
    in_order = sorted(found, key=lambda key: (len(key), key))  # S2 before S10
    told = [f"{key} {found[key]}" for key in in_order]
    for quote in quoted:
        told += [f"{quote.method} on {name}: {note}" for name, note in quote.notes.items()]
    return "; ".join(told)


@cache
def published() -> Published:
    """The rows that travel with this package."""
    return _read(_FILE)


def published_with(files: Sequence[Path]) -> Published:
    """The rows of this package and those of further files of the same form.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one is not of this form, or gives a source's key another meaning.
    """
    known = published()
    sources, rows = dict(known.sources), list(known.rows)
    for path in files:
        own = _read(path)
        for key, text in own.sources.items():
            if sources.setdefault(key, text) != text:
                raise ValueError(f"{path}: the source {key} is {sources[key]!r} already; rename it")
        rows += own.rows
    return Published(sources, rows)


def _read(path: Path) -> Published:
    if not path.is_file():
        raise FileNotFoundError(f"no published rows at {path}; {_FORM}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Published(content["sources"], content["rows"])
        for row in found.rows:
            _check(row, found.sources)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {type(error).__name__} {error}; {_FORM}") from error
    return found


def _check(row: Mapping[str, Any], sources: Mapping[str, str]) -> None:
    """Raise ValueError or KeyError where a row lacks something, or a number is none."""
    texts = [row["dataset"], row["method"], row["backbone"]]
    texts += [row.get("group", ""), row.get("note", "")]
    if not all(isinstance(text, str) for text in texts) or not row["accuracies"]:
        raise ValueError(f"{dict(row)} is no row")
    if unknown := set(row["source"].split(", ")) - set(sources):
        raise ValueError(f"{row['method']} has no source {', '.join(sorted(unknown))}")
    for shots, text in row["accuracies"].items():
        if not shots.isdecimal() or not re.fullmatch(_NUMBER, str(text)):
            raise ValueError(f'{row["method"]}: {text!r} at {shots} shots is not like "72.0 ± 0.7"')


def _estimate(text: str) -> Estimate:
    """ "49.42 ± 0.78" or "67.60", with as many digits as were printed."""
    mean, _, ci95 = text.partition(" ± ")
    digits = len(mean.partition(".")[2])
    return Estimate(float(mean), float(ci95) if ci95 else None, digits=digits)
