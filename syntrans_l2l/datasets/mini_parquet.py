"""The hub's form of miniImageNet: parquet files of encoded images and numbered labels."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.datasets import published

Scores = Callable[[Tensor, Sequence[str]], Tensor]
_VOTERS = 20  # images of a class that say which one it is


def files(root: Path, split: str) -> list[Path]:
    """The split's parquet files in order, as the hub names them."""
    return sorted((root / "mini_imagenet" / "data").glob(f"{split}-*.parquet"))


def counts(root: Path, split: str, wnids: Sequence[str]) -> list[int]:
    """Images of each label, without reading an image; which label is which class is open yet.

    Raises:
        ValueError: another number of labels than of published classes.
    """
    numbers: list[int] = torch.unique(_numbers(root, split), return_counts=True)[1].tolist()
    if len(numbers) != len(wnids):
        raise ValueError(
            f"{files(root, split)[0]} and its like hold {len(numbers)} classes, the published "
            f"split has {len(wnids)}; fetch GATE-engine/mini_imagenet, not timm/mini-imagenet"
        )
    return numbers


def pictures(root: Path, split: str, size: int) -> Iterator[bytes]:
    """Encoded images, in the order of the files."""
    for file in files(root, split):
        for batch in _pyarrow().ParquetFile(file).iter_batches(256, columns=["image"]):
            for image in batch.column(0).to_pylist():
                yield image["bytes"]


def labels(root: Path, split: str, decoded: Tensor, wnids: Sequence[str]) -> Tensor:
    """The place in `wnids` of every image's class, [n] int64."""
    numbers = torch.unique(_numbers(root, split), return_inverse=True)[1]
    named = wnids_of_labels(decoded, numbers, wnids, imagenet_scores)
    return torch.tensor([wnids.index(wnid) for wnid in named])[numbers]


def wnids_of_labels(
    decoded: Tensor, numbers: Tensor, wnids: Sequence[str], scores: Scores
) -> list[str]:
    """Which class each label is, as the images themselves say.

    The files do not tell, and the order of learn2learn's pickles is no evidence about them. So
    a classifier of ImageNet's classes looks at some images of each label; names are trusted
    only where its votes make labels and classes one to one. Only names depend on it.

    Args:
        decoded: images [n, 3, H, W] uint8.
        numbers: labels [n], 0 to C - 1.
        wnids: the C published classes of the split.
        scores: images and wnids -> log-probabilities [n, C].

    Raises:
        ValueError: two labels look like one class.
    """
    votes = []
    for number in range(len(wnids)):
        voters = torch.where(numbers == number)[0][:_VOTERS]
        votes.append(int(scores(decoded[voters], wnids).mean(0).argmax()))
    if len(set(votes)) != len(wnids):
        twice = sorted({wnids[vote] for vote in votes if votes.count(vote) > 1})
        raise ValueError(
            f"cannot tell which label is which class: several look like {', '.join(twice[:3])}; "
            "use learn2learn's pickles, which name their classes"
        )
    return [wnids[vote] for vote in votes]


@torch.no_grad()
def imagenet_scores(pixels: Tensor, wnids: Sequence[str]) -> Tensor:
    """Log-probabilities of ImageNet classes by timm's ResNet-18: [n, 3, H, W] uint8 -> [n, C].

    Raises:
        FileNotFoundError: its weights cannot be had.
    """
    import timm

    try:
        model: Any = timm.create_model("resnet18", pretrained=True).eval()
    except Exception as error:
        raise FileNotFoundError(
            "the parquet's labels are bare numbers, and timm's resnet18, which would name them, "
            f"cannot be loaded ({type(error).__name__}); put it into the hub's cache, or use "
            "learn2learn's pickles, which name their classes"
        ) from error
    places = {wnid: place for place, wnid in enumerate(published.imagenet().label_names())}
    mean, std = (torch.tensor(model.pretrained_cfg[name]).view(3, 1, 1) for name in ("mean", "std"))
    views = F.interpolate(pixels.float() / 255.0, size=(224, 224), mode="bilinear")
    logits = model((views - mean) / std)[:, [places[wnid] for wnid in wnids]]
    return torch.as_tensor(logits).log_softmax(-1)


def _numbers(root: Path, split: str) -> Tensor:
    columns = [
        torch.from_numpy(_pyarrow().read_table(file, columns=["label"])["label"].to_numpy().copy())
        for file in files(root, split)
    ]
    return torch.cat(columns)


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            f'parquet files need pyarrow ({error}); install it: pip install "pyarrow<21"'
        ) from error
    return pyarrow.parquet
