"""What every data set gives: images by split, class names and a fingerprint."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from syntrans_l2l.cache import Cache
from syntrans_l2l.progress import Progress, silent

SPLITS = ("train", "validation", "test")
ALIASES = {"val": "validation"}  # what files say instead


@dataclass(frozen=True)
class Split:
    """The images of some classes, or their features where a data set holds no images.

    `class_keys` name the classes in files: WordNet ids where the names are words; the names
    themselves where left empty. `image_names` say what the images are called, FOLDER/FILE, where
    each is a file of its own.

    Shapes: images [n, 3, H, W] uint8, or features [n, D] float32; labels [n] int64, indices
    into `class_names` [C].
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    class_keys: tuple[str, ...] = ()
    image_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.class_keys:
            object.__setattr__(self, "class_keys", self.class_names)

    def class_counts(self) -> Tensor:
        """Images per class, [C]."""
        return torch.bincount(self.labels, minlength=len(self.class_names))

    def named_counts(self) -> dict[str, int]:
        """Images per class by name."""
        return dict(zip(self.class_names, self.class_counts().tolist(), strict=True))

    def check_episodes(self, *, ways: int, shots: int, queries: int) -> None:
        """Raise ValueError where an episode of this size cannot be drawn."""
        check_episode_size(self.named_counts(), ways=ways, shots=shots, queries=queries)


@dataclass(frozen=True)
class FewShotData:
    """A few-shot data set: base (train), validation and novel (test) classes."""

    name: str
    train: Split
    validation: Split
    test: Split
    fingerprint: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of all classes: train, then validation, then test."""
        return self.train.class_names + self.validation.class_names + self.test.class_names

    @property
    def class_keys(self) -> tuple[str, ...]:
        """What files call these classes, in the same order."""
        return self.train.class_keys + self.validation.class_keys + self.test.class_keys


class Benchmark(Protocol):
    """A data set by name: cheap to ask about, loaded once.

    `size` is the pixels of a picture's side; None where the data set holds features.
    """

    name: str

    @property
    def size(self) -> int | None: ...

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        """Images per class of each split, without reading an image.

        Raises:
            FileNotFoundError: something is missing below `root`; the message says what.
        """
        ...

    def check_images(self, root: Path, progress: Progress = silent) -> None:
        """Open every picture.

        Raises:
            FileNotFoundError: something is missing below `root`.
            ValueError: pictures are broken; the message names them.
        """
        ...

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        """Read all images, through `cache`."""
        ...


def check_episode_size(
    class_counts: dict[str, int], *, ways: int, shots: int, queries: int
) -> None:
    """Raise ValueError where classes of these sizes cannot fill an episode, naming all of them."""
    if ways > len(class_counts):
        raise ValueError(
            f"{ways} ways asked for, but there are only {len(class_counts)} classes; "
            f"lower the ways to {len(class_counts)} or fewer"
        )
    least = shots + queries
    small = [f"{name!r} has {count}" for name, count in class_counts.items() if count < least]
    if small:
        raise ValueError(
            f"shots + queries = {shots} + {queries} images a class are needed, and "
            f"{len(small)} of {len(class_counts)} classes have fewer: {', '.join(small)}; add "
            "images, lower the shots or queries, or leave these classes out of your own folder or "
            f"file by its skip_small_classes = {least}"
        )


def check_least(skip_small_classes: object) -> int:
    """The number of images below which classes are left out.

    Raises:
        ValueError: it is no number.
    """
    if isinstance(skip_small_classes, bool) or not isinstance(skip_small_classes, int):
        raise ValueError(
            "skip_small_classes is the least number of images that a class must have, for "
            f"instance the largest shots + queries, got {skip_small_classes!r}"
        )
    return skip_small_classes


def named_with_least(name: str, least: int) -> str:
    """What records call a data set without its small classes."""
    return f"{name}, classes of {least} or more" if least > 0 else name
