"""A content-addressed store of tensors: whatever takes long is computed once.

An entry is one safetensors file named by the SHA-256 of its key. The key, as JSON, and a
checksum of the tensors travel in the file's header, so that a person can see what an entry
is and a damaged one is noticed.

To hash 16 GB at every start would take a minute. So the file's time is the stamp of a check: the
part below a second of it is set from the checksum, which no later write, copy or repair does. A
file with this stamp and of the size that its header tells is taken as it is; any other is
hashed as a whole, and stamped where it is sound. `verify` hashes everything.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from syntrans_l2l.atomic import atomic
from syntrans_l2l.digests import Key as Key
from syntrans_l2l.digests import as_json
from syntrans_l2l.digests import digest as digest
from syntrans_l2l.digests import tensor_digest as tensor_digest
from syntrans_l2l.mapped_file import Mark as Mark
from syntrans_l2l.mapped_file import Tensors as Tensors
from syntrans_l2l.mapped_file import fill

logger = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)
_SECOND = 1_000_000_000  # nanoseconds


class Cache:
    """Tensors under `root`, one folder a kind.

    Args:
        root: made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, kind: str, key: Key) -> Path:
        """Where the entry lies, present or not."""
        return self.root / kind / f"{digest(key)}.safetensors"

    def load(self, kind: str, key: Key) -> Tensors | None:
        """The entry, or None where it is absent or damaged (logged, and removed)."""
        path = self.path(kind, key)
        if not path.exists():
            return None
        try:
            if not _stamped(path):
                _check(path)
            return load_file(path)  # finds a size that does not fit
        except (SafetensorError, ValueError) as error:
            _discard(path, error)
            return None

    def verify(self) -> list[Path]:
        """Hash every entry as a whole; damaged ones are logged, removed and returned."""
        damaged = []
        for path in sorted(self.root.glob("*/*.safetensors")):
            try:
                _check(path)
            except (SafetensorError, ValueError) as error:
                _discard(path, error)
                damaged.append(path)
        return damaged

    def save(self, kind: str, key: Key, tensors: Tensors) -> None:
        """Write the entry whole or not at all."""
        path = self.path(kind, key)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        sha256 = tensor_digest(tensors)
        with atomic(path) as partial:
            save_file(tensors, partial, metadata={"key": as_json(key), "sha256": sha256})
            _stamp(partial, sha256)

    def fill(
        self,
        kind: str,
        key: Key,
        shapes: Mapping[str, Sequence[int]],
        make: Callable[[Tensors, Mark], object],
    ) -> Tensors:
        """`get` for uint8 tensors that memory need not hold: `make` writes into the file itself.

        What comes back is mapped from the file, so that the system keeps what is in use. Where
        a process was interrupted, the next one gets its file as it is, and its mark.
        """
        if (stored := self.load(kind, key)) is not None:
            return stored
        with self._claimed(kind, key):
            if (stored := self.load(kind, key)) is not None:
                return stored
            path = self.path(kind, key)
            partial = path.with_suffix(".filling")  # the lock is held: no other process fills it
            _stamp(partial, fill(partial, key, shapes, make))
            partial.replace(path)
            return load_file(path)

    def checksum(self, kind: str, key: Key) -> str:
        """Of an entry that is there: 20 digits of the SHA-256 of its tensors."""
        return _checksum(self.path(kind, key))[:20]

    def get(self, kind: str, key: Key, make: Callable[[], Tensors]) -> Tensors:
        """The entry, made and saved first where it is absent or damaged.

        Of several processes that lack an entry one makes it, and the others wait for that.
        """
        if (stored := self.load(kind, key)) is not None:
            return stored
        with self._claimed(kind, key):
            if (stored := self.load(kind, key)) is None:
                stored = make()
                self.save(kind, key, stored)
            return stored

    def module(
        self,
        kind: str,
        key: Key,
        build: Callable[[], Network],
        train: Callable[[], nn.Module],
    ) -> Network:
        """A network with the weights of an entry, frozen and in eval mode, on the CPU.

        Args:
            kind: of the entry.
            key: of the entry.
            build: makes it with any weights.
            train: makes one with the same names and shapes, where the entry is absent or damaged.
        """
        network = build()
        network.load_state_dict(self.get(kind, key, lambda: dict(train().state_dict())))
        return network.requires_grad_(False).eval()

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """A block that one process at a time goes through, of those that share the cache.

        The system frees the lock of a process that dies.
        """
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):
            yield

    @contextmanager
    def _claimed(self, kind: str, key: Key) -> Iterator[None]:
        """Hold the entry alone, and clear away what a killed process began to write there."""
        path = self.path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.turn(path.stem):
            for partial in path.parent.glob(f"{path.stem}.*.partial"):
                partial.unlink(missing_ok=True)
            yield


def _check(path: Path) -> None:
    """Hash an entry, and stamp it where it is sound; raises what a damaged one raises."""
    sha256 = _checksum(path)
    if sha256 != tensor_digest(load_file(path)):
        raise SafetensorError("checksum differs")
    _stamp(path, sha256)


def _stamp(path: Path, sha256: str) -> None:
    """Set the part of the file's time that is below a second from the checksum."""
    seconds = path.stat().st_mtime_ns // _SECOND
    with suppress(OSError):  # a cache that others own is read all the same
        os.utime(path, ns=(time.time_ns(), seconds * _SECOND + _below_a_second(sha256)))


def _stamped(path: Path) -> bool:
    return path.stat().st_mtime_ns % _SECOND == _below_a_second(_checksum(path))


def _below_a_second(sha256: str) -> int:
    """Whole microseconds, which all file systems of today keep."""
    return int(sha256[:16] or "0", 16) % 1_000_000 * 1000


def _checksum(path: Path) -> str:
    with safe_open(path, framework="pt") as file:
        return str((file.metadata() or {}).get("sha256", ""))


def _discard(path: Path, error: Exception) -> None:
    logger.warning("damaged cache entry %s (%s): rebuilding it", path, error)
    path.unlink(missing_ok=True)
