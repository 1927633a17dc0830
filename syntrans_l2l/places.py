"""Where data and finished stages lie, and what files may be called."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The data root and the cache.

    Args:
        root: below which the data sets lie.
        cache: where finished stages are kept.
    """

    root: Path
    cache: Path

    @classmethod
    def of(cls, root: str | Path | None = None) -> "Places":
        """What the environment says; the only reader of these two variables.

        Args:
            root: None takes $SYNTRANS_DATA, or ~/data where that is not set. The cache is
                $SYNTRANS_CACHE, or `syntrans_cache` below the root.
        """
        if root is None:
            root = os.environ.get("SYNTRANS_DATA") or "~/data"
        root = Path(root).expanduser().absolute()
        cache = os.environ.get("SYNTRANS_CACHE") or root / "syntrans_cache"
        return cls(root, Path(cache).expanduser().absolute())


def file_name(text: str) -> str:
    """`text` as one part of a path, on any system; other texts give other names.

    Letters, digits, spaces, `_`, `-` and `.` within stay; where something had to go, four
    digits of the text's hash tell it from its like.
    """
    plain = re.sub(r"[^\w .-]+", "_", text).strip(" .")[:80]
    if plain == text and plain:
        return text
    return f"{plain or 'x'}_{hashlib.sha256(text.encode()).hexdigest()[:4]}"
