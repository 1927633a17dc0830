"""What tests share: a miniature CIFAR-FS archive in the true layout, random data, episodes."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from syntrans_l2l.datasets.base import FewShotData, Split
from syntrans_l2l.episodes.episodes import Episodes, sample_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.evaluation.evaluate import stream_accuracies
from syntrans_l2l.methods.base import Predict

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = [f"class_{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
SPLITS = {"train": NAMES[:12], "val": NAMES[12:18], "test": NAMES[18:24]}

VISUAL, SEMANTIC = 24, 4  # D and M of the arena

MakeArchive = Callable[..., Path]


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


def episodes_of(data: FewShotData, split: str, count: int = 300, shots: int = 1) -> Episodes:
    size = EpisodeSize(shots=shots, queries=5, episodes=count)
    return sample_episodes(getattr(data, split), size, seed=0)


def accuracies_of(predict: Predict, episodes: Episodes) -> Tensor:
    """Of one method, in percent, [E]."""
    return stream_accuracies({"method": predict}, [episodes])["method"]


def digest_elsewhere(draw: str) -> str:
    """Of the episodes `e` that another process draws by `draw` from `split`, the data's test."""
    script = (
        "from common import random_split;"
        "from syntrans_l2l.cache import tensor_digest;"
        f"split = random_split(6, 24, 'novel', 2);{draw};"
        "print(tensor_digest({'c': e.class_ids, 's': e.support, 'q': e.query}))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parent,
    )  # fmt: skip
    return other.stdout.split()[-1]
