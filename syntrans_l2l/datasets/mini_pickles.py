"""learn2learn's form of miniImageNet: three pickles, each of images and their WordNet ids."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from syntrans_l2l.datasets.unpickle import text, unpickle

Rows = Mapping[str, list[int]]


def files(root: Path, split: str) -> list[Path]:
    """The split's file, where it is there."""
    path = root / f"mini-imagenet-cache-{split}.pkl"
    return [path] if path.is_file() else []


def counts(root: Path, split: str, wnids: Sequence[str]) -> list[int]:
    """Images of each class; images and classes are in one pickle, so this reads it whole."""
    rows = _rows(root, split, wnids)
    return [len(rows[wnid]) for wnid in wnids]


def pictures(root: Path, split: str, size: int) -> Iterator[Tensor]:
    """The images [3, size, size] uint8, in the order of the file.

    Raises:
        ValueError: they are no uint8 images of this size.
    """
    [path] = files(root, split)
    pixels = _read(path)[0]
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (size, size, 3):
        raise ValueError(f"{path}: image_data must be uint8 [n, {size}, {size}, 3]; fetch it anew")
    yield from torch.from_numpy(pixels).permute(0, 3, 1, 2)


def labels(root: Path, split: str, decoded: Tensor, wnids: Sequence[str]) -> Tensor:
    """The place in `wnids` of every image's class, [n] int64."""
    numbers = torch.empty(len(decoded), dtype=torch.int64)
    for label, rows in enumerate(_rows(root, split, wnids)[wnid] for wnid in wnids):
        numbers[rows] = label
    return numbers


def _rows(root: Path, split: str, wnids: Sequence[str]) -> Rows:
    """The rows of each class, read once while the file stays as it is.

    Raises:
        ValueError: not the classes of this split.
    """
    [path] = files(root, split)
    state = path.stat()
    rows = _remembered_rows(path, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    if wrong := sorted(set(rows) ^ set(wnids)):
        raise ValueError(
            f"{path} does not hold the published classes of its split: {len(wrong)} differ "
            f"({', '.join(wrong[:3])}, ...); is it another split's file under this name?"
        )
    return rows


@lru_cache
def _remembered_rows(path: Path, *state: int) -> Rows:
    return _read(path)[1]


def _read(path: Path) -> tuple[NDArray[np.uint8], Rows]:
    """Images [n, H, W, 3] and the rows of each class.

    Raises:
        ValueError: not of this form.
    """
    content = unpickle(path)
    if not isinstance(content, dict) or not {"image_data", "class_dict"} <= content.keys():
        raise ValueError(f"{path} lacks image_data and class_dict; fetch it anew")
    pixels, by_class = np.asarray(content["image_data"]), content["class_dict"]
    if not isinstance(by_class, dict):
        raise ValueError(f"{path}: class_dict is no dictionary of classes; fetch it anew")
    rows = {text(wnid): [int(row) for row in each] for wnid, each in by_class.items()}
    if sorted(row for each in rows.values() for row in each) != list(range(len(pixels))):
        raise ValueError(f"{path}: class_dict does not give each image one class; fetch it anew")
    return pixels, rows
