"""miniImageNet: 64, 16 and 20 classes of ImageNet, 600 images of 84 px each."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from syntrans_l2l.cache import Cache, Tensors
from syntrans_l2l.datasets import mini_parquet, published
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.datasets.images import load_images
from syntrans_l2l.datasets.sources import how_to_get
from syntrans_l2l.datasets.unpickle import text, unpickle
from syntrans_l2l.progress import Progress, silent

SIZE = 84
Rows = Mapping[str, list[int]]


class MiniImagenet:
    """miniImageNet from learn2learn's pickles or from the hub's parquet files.

    The pickles name their classes, so they are read where both are there. The parquet's labels
    are bare numbers: see `mini_parquet.wnids_of_labels` for how they get their names.

    Source: Vinyals et al., "Matching networks for one shot learning", NeurIPS 2016, divided as
    by Ravi & Larochelle, ICLR 2017.
    """

    name = "mini_imagenet"

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        """Reads the pickles, which hold images and classes together (two seconds)."""
        classes = published.classes(self.name)
        counts = {}
        for split in SPLITS:
            if _has_pickles(root):
                rows = _rows(_pickle(root, split), classes[split])
                numbers = [len(rows[wnid]) for wnid in classes[split]]
            else:  # in the order of labels: which is which is known after decoding
                numbers = mini_parquet.counts(_parquet(root), split, len(classes[split]))
            counts[split] = dict(zip(published.wordnet_names(classes[split]), numbers, strict=True))
        return counts

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        classes = published.classes(self.name)
        counts = {split: sum(each.values()) for split, each in self.class_counts(root).items()}
        pickled = _has_pickles(root)

        def images(split: str) -> Iterator[Tensor]:
            if not pickled:
                yield from mini_parquet.images(_parquet(root), split, SIZE)
                return
            pixels, _ = _read_pickle(_pickle(root, split), classes[split])
            yield from torch.from_numpy(pixels).permute(0, 3, 1, 2)

        def labels(decoded: Tensors) -> dict[str, Tensor]:
            if not pickled:
                return {
                    split: mini_parquet.labels(
                        _parquet(root), split, decoded[split], classes[split]
                    )
                    for split in SPLITS
                }
            made = {}
            for split in SPLITS:
                rows = _rows(_pickle(root, split), classes[split])
                made[split] = torch.empty(counts[split], dtype=torch.int64)
                for label, wnid in enumerate(classes[split]):
                    made[split][rows[wnid]] = label
            return made

        return load_images(
            self.name,
            class_keys=classes,
            class_names={split: published.wordnet_names(classes[split]) for split in SPLITS},
            files=[_pickle(root, split) for split in SPLITS]
            if pickled
            else [file for split in SPLITS for file in mini_parquet.files(_parquet(root), split)],
            size=SIZE,
            counts=counts,
            images=images,
            labels=labels,
            cache=cache,
            progress=progress,
        )


def _pickle(root: Path, split: str) -> Path:
    return root / f"mini-imagenet-cache-{split}.pkl"


def _parquet(root: Path) -> Path:
    return root / "mini_imagenet"


def _has_pickles(root: Path) -> bool:
    """Whether to read pickles.

    Raises:
        FileNotFoundError: neither form is there whole; the message says how to get it.
    """
    missing = [_pickle(root, split).name for split in SPLITS if not _pickle(root, split).is_file()]
    if not missing:
        return True
    if all(mini_parquet.files(_parquet(root), split) for split in SPLITS):
        return False
    raise FileNotFoundError(
        f"no miniImageNet below {root}: {', '.join(missing)} and "
        f"{_parquet(root).name}/data/*.parquet are missing; {how_to_get(MiniImagenet.name)}"
    )


def _rows(path: Path, wnids: Sequence[str]) -> Rows:
    """The rows of each class; the file is read once while it stays as it is."""
    return _remembered_rows(path, path.stat().st_mtime_ns, tuple(wnids))


@lru_cache
def _remembered_rows(path: Path, time: int, wnids: Sequence[str]) -> Rows:
    return _read_pickle(path, wnids)[1]


def _read_pickle(
    path: Path, wnids: Sequence[str]
) -> tuple[NDArray[np.uint8], dict[str, list[int]]]:
    """Images [n, 84, 84, 3] uint8 and the rows of each class, checked.

    Raises:
        ValueError: not the form or not the classes of this split.
    """
    content = unpickle(path)
    if not isinstance(content, dict) or not {"image_data", "class_dict"} <= content.keys():
        raise ValueError(f"{path} lacks image_data and class_dict; fetch it anew")
    pixels = content["image_data"]
    rows = {
        text(wnid): [int(row) for row in each]
        for wnid, each in cast(Rows, content["class_dict"]).items()
    }
    shape = (SIZE, SIZE, 3)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != shape:
        raise ValueError(f"{path}: image_data must be uint8 [n, {SIZE}, {SIZE}, 3]; fetch it anew")
    if sorted(rows) != list(wnids):
        wrong = sorted(set(rows) ^ set(wnids))
        raise ValueError(
            f"{path} does not hold the published classes of its split: {len(wrong)} differ "
            f"({', '.join(wrong[:3])}, ...); is it another split's file under this name?"
        )
    if sorted(row for each in rows.values() for row in each) != list(range(len(pixels))):
        raise ValueError(f"{path}: class_dict does not give each image one class; fetch it anew")
    return pixels, rows
