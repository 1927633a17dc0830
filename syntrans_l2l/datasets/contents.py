"""Which contents files have: hashed, and remembered while a file stays untouched."""

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from syntrans_l2l.cache import Cache, digest

_SETTLED = 2_000_000_000  # ns; a file may change within one tick of the clock of its disk


def content_digests(files: Sequence[Path], cache: Cache) -> list[str]:
    """20 digits of the SHA-256 of each file.

    A file is read again only where its size, its inode, or one of its times differs from those
    that the cache remembers. The time of the last change of the inode is among them: writing,
    renaming and setting the other times all move it, so that a picture replaced by one of the
    same size and age is noticed.

    Raises:
        ValueError: files that cannot be read; the message names them all.
    """
    remembered = _Memory(cache, files)
    found, broken = [], []
    for file in files:
        try:
            found.append(remembered.digest(file))
        except OSError as error:
            broken.append(f"{file} ({error.strerror})")
    if broken:
        raise ValueError(f"{some_of(broken, 'files cannot be read')}; replace or remove them")
    remembered.save()
    return found


def some_of(names: Sequence[str], what: str, most: int = 10) -> str:
    """ "3 files are missing: a, b, c", at most ten of them by name."""
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)} {what}: {', '.join(names[:most])}{more}"


class _Memory:
    """The file that remembers digests, one for the folder that holds all of `files`."""

    def __init__(self, cache: Cache, files: Sequence[Path]) -> None:
        folders = {file.parent for file in files}
        folder = os.path.commonpath([each.absolute() for each in folders]) if folders else ""
        self._path = cache.root / "contents" / f"{digest({'folder': folder})}.json"
        self._old: Mapping[str, list[object]] = self._read()
        self._new: dict[str, list[object]] = {}
        self._now = time.time_ns()

    def _read(self) -> Mapping[str, list[object]]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def digest(self, file: Path) -> str:
        state = file.stat()
        seen = [state.st_size, state.st_ino, state.st_mtime_ns, state.st_ctime_ns]
        name = str(file)
        *known, sha = self._old.get(name, [""])
        if known != seen:
            sha = _sha256(file)[:20]
        if self._now - max(state.st_mtime_ns, state.st_ctime_ns) > _SETTLED:
            self._new[name] = [*seen, sha]
        return str(sha)

    def save(self) -> None:
        """Write what is known, where that is news."""
        news = {name: state for name, state in self._new.items() if self._old.get(name) != state}
        if not news:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps({**self._old, **news}), encoding="utf-8")
        partial.replace(self._path)


def _sha256(file: Path) -> str:
    sha = hashlib.sha256()
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            sha.update(piece)
    return sha.hexdigest()
