"""A file of tensors that is filled where it lies, so that memory need not hold it."""

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from syntrans_l2l.digests import Key, as_json, tensor_digest

Tensors = dict[str, Tensor]


class Mark:
    """How far a file is filled: kept in the file itself, so that a killed process leaves it.

    Args:
        file: whose first eight bytes hold the count until its header takes their place.
        flush: writes what is filled to the disk.
    """

    def __init__(self, file: Path, flush: Callable[[], None]) -> None:
        self._file = file
        self._flush = flush
        with file.open("rb") as begun:
            self.done = int.from_bytes(begun.read(8), "little")

    def set(self, done: int) -> None:
        """Say that the first `done` units are written."""
        self._flush()
        with self._file.open("r+b") as file:
            file.write(done.to_bytes(8, "little"))
        self.done = done


def fill(
    partial: Path,
    key: Key,
    shapes: Mapping[str, Sequence[int]],
    make: Callable[[Tensors, Mark], object],
) -> str:
    """Let `make` write uint8 tensors into a mapped file, then give it its header.

    Args:
        partial: the file; where an interrupted process left it, it is filled on.
        key: for the header.
        shapes: of the tensors by name.
        make: gets the tensors, zero where they are not filled, and says how far it is.

    Returns:
        the checksum of the tensors, which the header carries too.
    """
    sizes = [math.prod(shape) for shape in shapes.values()]
    ends = list(itertools.accumulate(sizes, initial=0))
    places = dict(zip(shapes, itertools.pairwise(ends), strict=True))

    def header(sha256: str) -> bytes:
        described: dict[str, object] = {
            name: {"dtype": "U8", "shape": list(shapes[name]), "data_offsets": places[name]}
            for name in shapes
        }
        described["__metadata__"] = {"key": as_json(key), "sha256": sha256}
        text = json.dumps(described).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text

    start = len(header("0" * 64))  # a checksum's length is known before it is
    try:
        with partial.open("ab") as begun:
            begun.truncate(start + ends[-1])
        mapped = np.memmap(partial, np.uint8, "r+", start, (ends[-1],))
        tensors = {
            name: torch.from_numpy(mapped[slice(*places[name])]).view(*shapes[name])
            for name in shapes
        }
        make(tensors, Mark(partial, mapped.flush))
        mapped.flush()
        sha256 = tensor_digest(tensors)
        with partial.open("r+b") as file:
            file.write(header(sha256))
    except Exception:
        partial.unlink(missing_ok=True)
        raise
    return sha256
