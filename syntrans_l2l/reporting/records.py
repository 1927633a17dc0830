"""Result records: one JSON line per data set, method, ways and shots."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """One cell of the leaderboard: accuracies in percent, differences in points.

    `episode_accuracies` is a safetensors file beside the records; `delta` is the mean paired
    difference to the method `delta_vs` over the same episodes; `selected` says what was chosen,
    on which split and from which grid; `id` hashes everything that determines the numbers.
    """

    id: str
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
    schema: int = SCHEMA


class RecordStore:
    """`OUT/results.jsonl` and the accuracies of single episodes beside it.

    Args:
        out: the folder; made where it is missing.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out / "results.jsonl"
        try:
            (out / "episodes").mkdir(parents=True, exist_ok=True)
            probe = out / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise OSError(
                f"cannot write to the output folder {out} ({error.strerror}); "
                "choose another with --out"
            ) from error

    def read(self) -> list[Record]:
        """All records of this schema; a truncated last line of a killed run is passed over."""
        if not self.path.exists():
            return []
        names = {field.name for field in fields(Record)}
        records = []
        for line in self.path.read_text().splitlines():
            try:
                content = json.loads(line)
            except json.JSONDecodeError:
                continue
            if content.get("schema") == SCHEMA and set(content) == names:
                records.append(Record(**content))
        return records

    def find(self, record_id: str) -> Record | None:
        """The record with this id whose episode accuracies are still there."""
        for record in self.read():
            if record.id == record_id and (self.out / record.episode_accuracies).exists():
                return record
        return None

    def append(self, record: Record) -> None:
        """Add one line, after a line break that a killed run may have left out."""
        line = json.dumps(asdict(record)) + "\n"
        if self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n"):
            line = "\n" + line
        with self.path.open("a") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def save_accuracies(self, record_id: str, accuracies: Tensor) -> str:
        """Write [E] accuracies; returns the path relative to `out`."""
        name = f"episodes/{record_id}.safetensors"
        partial = self.out / f"{name}.{os.getpid()}.partial"
        save_file({"accuracies": accuracies.double()}, partial)
        partial.replace(self.out / name)
        return name

    def accuracies(self, record: Record) -> Tensor:
        """The accuracies of a record's episodes, [E]."""
        return load_file(self.out / record.episode_accuracies)["accuracies"]
