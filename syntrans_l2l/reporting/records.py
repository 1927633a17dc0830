"""Result records: one JSON line per data set, method, ways and shots."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from syntrans_l2l.atomic import atomic
from syntrans_l2l.semantics.bank_file import MinedBank, write_bank

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


def make_writable(folder: Path) -> None:
    """Make the folder where it is missing, and find out now whether it takes files.

    Raises:
        OSError: it does not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"cannot write to the output folder {folder} ({error.strerror}); "
            "choose another with --out"
        ) from error


class RecordStore:
    """`OUT/results.jsonl` and, beside it, what single episodes tell.

    Args:
        out: the folder; made where it is missing.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out / "results.jsonl"
        for folder in (out, out / "episodes", out / "diagnostics"):
            make_writable(folder)

    def find(self, record_id: str) -> Record | None:
        """The record with this id whose files are still there."""
        for record in read_records(self.path)[0] if self.path.exists() else []:
            files = (record.episode_accuracies, record.diagnostics)
            if record.id == record_id and all((self.out / file).exists() for file in files):
                return record
        return None

    def append(self, record: Record) -> None:
        """Add one line, after a line break that a killed run may have left out.

        Processes that write to one folder take turns, and of those that computed the same record
        the first writes it.
        """
        line = json.dumps(asdict(record)) + "\n"
        with FileLock(self.path.with_suffix(".lock")):
            if self.find(record.id) is not None:
                return
            if self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n"):
                line = "\n" + line
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())

    def save_accuracies(self, record_id: str, accuracies: Tensor, answers: int) -> str:
        """Write [E] accuracies as right answers out of `answers` = N * Q an episode.

        Returns:
            the path relative to `out`.

        Raises:
            ValueError: an accuracy is not a whole number of answers.
        """
        right = (accuracies * answers / 100.0).round().short()
        if not percent(right, answers).equal(accuracies):
            raise ValueError(f"{record_id}: accuracies are not counts of {answers} answers")
        return self._save(f"episodes/{record_id}.safetensors", {"right": right})

    def save_diagnostics(
        self, record_id: str, tensors: Mapping[str, Tensor], class_names: Sequence[str]
    ) -> str:
        """Write what figures are drawn from; returns the path relative to `out`."""
        header = {"class_names": json.dumps(list(class_names))}
        return self._save(f"diagnostics/{record_id}.safetensors", tensors, header)

    def keep_bank(self, bank: MinedBank) -> None:
        """Write `banks/HASH.json`, where the records whose `descriptor_hash` that is have phrases.

        `benchmarks/mine.py show` and `page` read it.
        """
        path = self.out / "banks" / f"{bank.vectors.digest}.json"
        if not path.exists():
            write_bank(bank, path)

    def accuracies(self, record: Record) -> Tensor:
        """The accuracies of a record's episodes in percent, [E] float64."""
        return read_accuracies(record, self.out)

    def _save(
        self, name: str, tensors: Mapping[str, Tensor], header: dict[str, str] | None = None
    ) -> str:
        # cloned, because safetensors takes no two views of one storage
        whole = {key: each.cpu().contiguous().clone() for key, each in tensors.items()}
        with atomic(self.out / name) as partial:
            save_file(whole, partial, header)
        return name


def read_records(path: Path) -> tuple[list[Record], list[str]]:
    """Whole records in the order of the file, and what is wrong elsewhere.

    A problem is one line of text with file and line: the truncated end of a killed run, a
    missing or unknown field, another schema, or a value that cannot be. Records of schema 2 are
    read; one line says what they lack.
    """
    records, problems = [], []
    for number, line in enumerate(
        path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
    ):
        if not line.strip():
            continue
        try:
            records.append(_record(line))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}; skipped")
    if old := sum(record.schema < SCHEMA for record in records):
        problems.append(
            f"{path}: {old} records of schema 2 have no hashes of settings, code and encoder; such "
            "rows are told apart by what tables show of them: run again to renew them"
        )
    return records, problems


def read_accuracies(record: Record, folder: Path = Path()) -> Tensor:
    """The accuracies of a record's episodes in percent, [E] float64.

    Args:
        record: whose.
        folder: where its results.jsonl lies, unless its paths are whole.
    """
    return _accuracies(folder / record.episode_accuracies, record.ways * record.queries)


def read_diagnostics(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors behind the figures, and the names of the test classes."""
    with safe_open(path, framework="pt") as file:
        names = json.loads(file.metadata()["class_names"])
    return load_file(path), names


def bank_of(record: Record) -> Path | None:
    """Where the phrases behind a collected record's vectors lie; None where none were kept."""
    path = Path(record.diagnostics).parent.parent / "banks" / f"{record.descriptor_hash}.json"
    return path if record.descriptor_hash and path.is_file() else None


def percent(right: Tensor, answers: int) -> Tensor:
    """Counts of right answers as accuracies, with the very bits of `episode_accuracies`."""
    return right.double() / answers * 100.0


@lru_cache(maxsize=500)  # neighbours in rank are compared again and again; 40 MB at most
def _accuracies(path: Path, answers: int) -> Tensor:
    return percent(load_file(path)["right"], answers)


def _record(line: str) -> Record:
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
