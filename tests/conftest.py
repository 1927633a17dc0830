"""Fixtures: a miniature CIFAR-FS archive in the true layout, and random data in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gin
from syntrans_l2l.datasets.base import FewShotData, Split

REPOSITORY = Path(__file__).parent.parent
NAMES = [f"class_{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
SPLITS = {"train": NAMES[:12], "val": NAMES[12:18], "test": NAMES[18:24]}

MakeArchive = Callable[..., Path]


@pytest.fixture(autouse=True)
def _clean_gin() -> Iterator[None]:
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture
def make_archive(tmp_path: Path) -> MakeArchive:
    """Write an archive below `tmp_path` as unzipping cifar100.zip would."""

    def make(splits: Mapping[str, Sequence[str]] = SPLITS, images: int = 20) -> Path:
        return write_archive(tmp_path, splits, images)

    return make


def write_archive(root: Path, splits: Mapping[str, Sequence[str]], images: int) -> Path:
    """Classes are colours with noise, so that a student can learn something."""
    generator = np.random.default_rng(0)
    archive = root / "cifarfs" / "cifar100"
    listings = archive / "splits" / "bertinetto"
    listings.mkdir(parents=True)
    for split, names in splits.items():
        (listings / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            folder = archive / "data" / name
            folder.mkdir(parents=True)
            colour = generator.integers(40, 215, size=(4, 4, 3)).repeat(8, 0).repeat(8, 1)
            for number in range(images):
                noise = generator.normal(0, 60, size=(32, 32, 3))
                pixels = (colour + noise).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}_s_{number:06d}.png")
    return root


def random_split(classes: int, images: int, prefix: str, seed: int = 0, size: int = 32) -> Split:
    """`images` random images of each of `classes` classes."""
    generator = torch.Generator().manual_seed(seed)
    count = classes * images
    pixels = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    labels = torch.arange(classes).repeat_interleave(images)
    return Split(pixels, labels, tuple(f"{prefix}_{c}" for c in range(classes)))


@pytest.fixture(scope="session")
def data() -> FewShotData:
    """12 / 6 / 6 classes of 24 random images."""
    return FewShotData(
        name="random",
        train=random_split(12, 24, "base", 0),
        validation=random_split(6, 24, "validation", 1),
        test=random_split(6, 24, "novel", 2),
        fingerprint="random",
    )
