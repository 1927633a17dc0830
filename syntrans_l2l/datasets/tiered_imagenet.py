"""tieredImageNet: 351, 97 and 160 classes of ImageNet, divided along WordNet's higher nodes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from syntrans_l2l.datasets import published
from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.datasets.images import FILE_NAMES, ImageBenchmark, ImageFiles
from syntrans_l2l.datasets.sources import how_to_get
from syntrans_l2l.datasets.unpickle import text, unpickle

SIZE = 84
_NUMBERS, _NAMES = "label_specific", "label_specific_str"  # keys of the label files


class TieredImagenet(ImageBenchmark):
    """tieredImageNet from the pickles of PNG-encoded images that learn2learn reads.

    All 779,165 images are 16.5 GB as pixels. They are decoded once into a file of the cache and
    mapped from there, so that memory holds the pictures in use; decoding needs the encoded
    images of one split (about 7 GB for train) in memory.

    Source: Ren et al., "Meta-learning for semi-supervised few-shot classification", ICLR 2018.
    """

    name = "tiered_imagenet"
    size = SIZE

    def files(self, root: Path) -> ImageFiles:
        classes = published.classes(self.name)
        labels = {split: _labels(root, split) for split in SPLITS}

        def pictures(split: str) -> Iterator[bytes]:
            path = _file(root, split, "images_png")
            encoded = cast(list[object], unpickle(path))
            if len(encoded) != len(labels[split]):
                raise ValueError(
                    f"{path} holds {len(encoded)} images for {len(labels[split])} labels; "
                    "fetch both files anew"
                )
            # popped from the end, so that what is decoded is also let go
            encoded.reverse()
            while encoded:
                yield np.asarray(_array(encoded.pop())).tobytes()

        return ImageFiles(
            name=self.name,
            class_keys=classes,
            class_names={split: published.wordnet_names(classes[split]) for split in SPLITS},
            counts={
                split: torch.bincount(labels[split], minlength=len(classes[split])).tolist()
                for split in SPLITS
            },
            files=[
                _file(root, split, what) for what in ("images_png", "labels") for split in SPLITS
            ],
            size=SIZE,
            pictures=pictures,
            labels=lambda _: labels,
            reader=__name__,
        )


def _array(image: object) -> object:
    return np.frombuffer(image, np.uint8) if isinstance(image, bytes) else image


def _file(root: Path, split: str, what: str) -> Path:
    """One of the six files.

    Raises:
        FileNotFoundError: it is missing; the message says how to get it.
    """
    path = root / "tiered-imagenet" / f"{FILE_NAMES[split]}_{what}.pkl"
    if not path.is_file():
        raise FileNotFoundError(
            f"no tieredImageNet: {path} is missing; {how_to_get(TieredImagenet.name)}"
        )
    return path


def _labels(root: Path, split: str) -> Tensor:
    """The place of every image's class among the published classes, [n] int64.

    Raises:
        ValueError: not the form or not the classes of this split.
    """
    _file(root, split, "images_png")
    path = _file(root, split, "labels")
    content = unpickle(path)
    if not isinstance(content, dict) or not {_NUMBERS, _NAMES} <= content.keys():
        raise ValueError(f"{path} lacks {_NUMBERS} and {_NAMES}; fetch it anew")
    numbers = torch.from_numpy(np.asarray(content[_NUMBERS]).astype(np.int64))
    wnids = published.classes(TieredImagenet.name)[split]
    names = [text(name) for name in content[_NAMES]]
    named = _wnids(names, wnids)
    if set(named) != set(wnids) or len(named) != len(wnids):
        unknown = [name for name, wnid in zip(names, named, strict=True) if wnid is None]
        raise ValueError(
            f"{path} does not name the {len(wnids)} published classes of its split"
            f"{': unknown are ' + ', '.join(unknown[:3]) if unknown else ''}; is it another "
            "split's file under this name?"
        )
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < len(named):
        raise ValueError(
            f"{path}: {_NUMBERS} must be places in {_NAMES}, 0 to {len(named) - 1}; fetch it anew"
        )
    return torch.tensor([wnids.index(cast(str, wnid)) for wnid in named])[numbers]


def _wnids(names: Sequence[str], wnids: Sequence[str]) -> list[str | None]:
    """WordNet ids of class names: ids themselves, all words of a class, its first, any of them.

    The surest reading first, and only what means one class of the split.
    """
    lemmas = published.wordnet_lemmas(wnids)
    readings: list[dict[str, list[str]]] = [
        {wnid: [wnid] for wnid in wnids},
        {wnid: [", ".join(lemmas[wnid])] for wnid in wnids},
        {wnid: lemmas[wnid][:1] for wnid in wnids},
        lemmas,
    ]

    def find(name: str) -> str | None:
        for reading in readings:
            found = [wnid for wnid, words in reading.items() if name in map(_plain, words)]
            if len(found) == 1:
                return found[0]
        return None

    return [find(_plain(name)) for name in names]


def _plain(name: str) -> str:
    return name.replace("_", " ").strip().lower()
