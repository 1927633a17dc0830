"""One cell of a leaderboard as a value, and as a line of JSON."""

import json
import math
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

SCHEMA = 3
_READ = (2, 3)  # records of schema 2 lack `identity` and `settings`
ELSEWHERE = "made elsewhere"  # the budget of a row that was added with its author's numbers


@dataclass(frozen=True, kw_only=True)
class Record:
    """One cell of the leaderboard: accuracies in percent, differences in points.

    `episode_accuracies` and `diagnostics` are safetensors files beside the records; `delta` is
    the mean paired difference to the method `delta_vs` over the same episodes; `selected` says
    what was chosen, on which split and from which grid; `identity` holds a hash of each part that
    determines the numbers (see identity.py; empty in records of schema 2), `settings` what labels
    can say of it, and `id` hashes the whole; `finished` is the time in UTC as ISO 8601 has it;
    `seed` is that of the episodes, `training_seed` that of students and methods (None where an
    earlier version did not write it);
    `title` is what tables print for the identifier `method` (empty: the identifier);
    `shared_classes` are test classes that training or validation has too.
    """

    id: str
    finished: str
    dataset: str
    method: str
    student: str
    semantics: str
    ways: int
    shots: int
    queries: int
    episodes: int
    seed: int
    accuracy: float
    ci95: float
    episode_accuracies: str
    diagnostics: str
    delta_vs: str | None
    delta: float | None
    delta_ci95: float | None
    uses_text: bool
    uses_teacher_images: bool
    is_transductive: bool
    selected: dict[str, object]
    budget: str
    config: str
    versions: dict[str, str]
    seconds: float
    descriptor_hash: str | None
    data_fingerprint: str
    identity: dict[str, str]
    settings: dict[str, object]
    training_seed: int | None = None
    schema: int = SCHEMA
    title: str = ""
    shared_classes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, hint in _HINTS.items():
            if not _fits(getattr(self, name), hint):
                raise ValueError(f"{name} is {getattr(self, name)!r}")

    @property
    def made_elsewhere(self) -> bool:
        """Whether its numbers were computed by code of somebody else."""
        return self.budget == ELSEWHERE


_HINTS = get_type_hints(Record)


def record_of(line: str) -> Record:
    """The record of a line of results.jsonl; ValueError with what is wrong with it."""
    try:
        content = json.loads(line)
    except json.JSONDecodeError:
        raise ValueError("not a whole JSON line, as a killed run leaves it") from None
    if not isinstance(content, dict):
        raise ValueError("not a record")
    if content.get("schema") not in _READ:
        raise ValueError(f"schema {content.get('schema')}, this version reads 2 and {SCHEMA}")
    if content["schema"] < SCHEMA:
        content = {"identity": {}, "settings": {}, **content}
    # older records lack them
    content = {"title": "", "training_seed": None, "shared_classes": [], **content}
    if missing := _HINTS.keys() - content:
        raise ValueError(f"lacks {', '.join(sorted(missing))}")
    if unknown := content.keys() - _HINTS:
        raise ValueError(f"has unknown fields {', '.join(sorted(unknown))}")
    return Record(**content)


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if hint is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, get_origin(hint) or hint)
