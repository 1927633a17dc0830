"""Models of transformers, by hub name or by folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_WHOLE = 2**28  # files above this many bytes count with name, size and time alone


@dataclass(frozen=True)
class Pretrained:
    """Where a model is: for `from_pretrained`, for the records, and for cache keys."""

    location: str
    label: str
    fingerprint: str


def pretrained(name_or_path: str, *, kind: str, binding: str) -> Pretrained:
    """A hub name, or a local folder with config, tokenizer and weights.

    Args:
        name_or_path: the hub name or the folder.
        kind: what it is, for the message ("sentence encoder").
        binding: what a user sets to name another.

    Raises:
        FileNotFoundError: `name_or_path` looks like a folder and is none.
    """
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        label = f"{path.resolve().parent.name}/{path.name}"
        return Pretrained(str(path), label, f"{path.name} {_fingerprint(path)}")
    if path.is_absolute() or name_or_path.startswith((".", "~")):
        raise FileNotFoundError(
            f"no {kind} folder at {name_or_path}; {binding} is a folder with config.json, "
            "tokenizer and weights, or a hub name"
        )
    return Pretrained(name_or_path, name_or_path, name_or_path)


def _fingerprint(folder: Path) -> str:
    sha = hashlib.sha256()
    # and the folders of sentence-transformers' modules, such as 1_Pooling
    for file in sorted([*folder.glob("*.*"), *folder.glob("[0-9]_*/*.*")]):
        if not file.is_file():  # such as .git, or the hub's .cache
            continue
        size = file.stat().st_size
        written = file.stat().st_mtime_ns if size > _WHOLE else ""
        sha.update(f"{file.relative_to(folder)} {size} {written}\n".encode())
        if size <= _WHOLE:
            sha.update(file.read_bytes())
    return sha.hexdigest()[:12]
