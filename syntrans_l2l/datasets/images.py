"""From files to FewShotData: images decoded once into one mapped file, then read from there."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from syntrans_l2l.cache import Cache, Tensors, digest
from syntrans_l2l.datasets.base import SPLITS, FewShotData, Split
from syntrans_l2l.progress import Progress

FILE_NAMES = {"train": "train", "validation": "val", "test": "test"}


def decode(source: bytes | Path, size: int) -> Tensor:
    """An encoded image as [3, size, size] uint8: shorter side resized, centre cropped.

    Raises:
        ValueError: it is no image.
    """
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            pixels = image.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"not an image: {error}; fetch the data set's files anew") from error
    if pixels.size != (size, size):
        pixels = ImageOps.fit(pixels, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)


def load_images(
    name: str,
    *,
    class_keys: Mapping[str, Sequence[str]],
    class_names: Mapping[str, Sequence[str]],
    files: Sequence[Path],
    size: int,
    counts: Mapping[str, int],
    images: Callable[[str], Iterable[Tensor]],
    labels: Callable[[Tensors], Mapping[str, Tensor]],
    cache: Cache,
    progress: Progress,
) -> FewShotData:
    """Decode on the first call; map the decoded file on later ones.

    Memory holds one image at a time beside what the source itself holds, whatever the size
    of the data set: pixels go to the cache's file and come back mapped from it.

    Args:
        name: of the data set.
        class_keys: of each split.
        class_names: of each split, in the same order.
        files: what the images come from; other sizes or times mean decoding anew.
        size: pixels of a side.
        counts: images of each split.
        images: the images of a split, in order, [3, size, size] uint8.
        labels: all labels [n] of each split, given the decoded images; asked for once.
        cache: where decoded images lie.
        progress: draws the bar.
    """
    key = {
        "images": name,
        "size": size,
        "classes": [list(class_keys[split]) for split in SPLITS],
        "files": digest({"files": [_state(file) for file in files]}),
    }

    def make(tensors: Tensors) -> None:
        with progress("reading images", total=sum(counts.values()), unit="img") as advance:
            for split in SPLITS:
                for place, image in zip(tensors[split], images(split), strict=True):
                    place.copy_(image)
                    advance(1)

    shapes = {split: (counts[split], 3, size, size) for split in SPLITS}
    pixels = cache.fill("images", key, shapes, make)
    numbers = cache.get("labels", key, lambda: dict(labels(pixels)))
    parts = {
        split: Split(
            pixels[split], numbers[split], tuple(class_names[split]), tuple(class_keys[split])
        )
        for split in SPLITS
    }
    fingerprint = cache.checksum("images", key)[:10] + cache.checksum("labels", key)[:10]
    return FewShotData(name, fingerprint=fingerprint, **parts)


def from_folders(
    name: str,
    folders: Mapping[str, Mapping[str, Path]],
    *,
    size: int,
    cache: Cache,
    progress: Progress,
) -> FewShotData:
    """A data set that is a folder of images a class: `folders` maps split to class to folder."""
    paths = {
        split: {key: image_files(folder) for key, folder in classes.items()}
        for split, classes in folders.items()
    }

    def labels(_: Tensors) -> dict[str, Tensor]:
        return {
            split: torch.arange(len(classes)).repeat_interleave(
                torch.tensor([len(each) for each in classes.values()])
            )
            for split, classes in paths.items()
        }

    flat = {split: [path for each in paths[split].values() for path in each] for split in SPLITS}
    return load_images(
        name,
        class_keys={split: list(classes) for split, classes in folders.items()},
        class_names={split: list(classes) for split, classes in folders.items()},
        files=[path for split in SPLITS for path in flat[split]],
        size=size,
        counts={split: len(flat[split]) for split in SPLITS},
        images=lambda split: (decode(path, size) for path in flat[split]),
        labels=labels,
        cache=cache,
        progress=progress,
    )


def _state(file: Path) -> list[object]:
    state = file.stat()
    return [file.name, state.st_size, state.st_mtime_ns]


def image_files(folder: Path) -> list[Path]:
    """The pictures in a folder, sorted."""
    known = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm"}
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in known)
