"""FC100 as learn2learn's own archive has it: three pickles with numbered classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from syntrans_l2l.cache import digest, tensor_digest
from syntrans_l2l.datasets.base import SPLITS, FewShotData, Split
from syntrans_l2l.datasets.images import FILE_NAMES
from syntrans_l2l.datasets.unpickle import unpickle


def files(root: Path) -> list[Path]:
    """The three files where all are there, else none."""
    paths = [root / f"FC100_{FILE_NAMES[split]}.pickle" for split in SPLITS]
    return paths if all(path.is_file() for path in paths) else []


def load(name: str, classes: Mapping[str, Sequence[str]], root: Path) -> FewShotData:
    """Read the pickles: 60,000 images of 32 px need no cache.

    Their labels are numbers. They are read as places in the alphabetical list of CIFAR-100's
    100 fine classes, and that is trusted only where it gives exactly the classes of the
    published split; numbers that were counted anew within a split cannot pass.

    Raises:
        ValueError: not the form, or not the published classes.
    """
    fine = sorted(each for names in classes.values() for each in names)
    parts: dict[str, Split] = {}
    contents: dict[str, Tensor] = {}
    for split, path in zip(SPLITS, files(root), strict=True):
        pixels, numbers = _read(path)
        found = sorted(set(numbers.tolist()))
        if found == list(range(len(found))) or not 0 <= found[0] <= found[-1] < len(fine):
            raise ValueError(
                f"{path}: labels are not numbers of CIFAR-100's fine classes but {found[0]} to "
                f"{found[-1]}, so that classes have no names; use cifar100.zip, whose folders do"
            )
        if [fine[number] for number in found] != sorted(classes[split]):
            raise ValueError(f"{path} does not hold the published classes of the {split} split")
        place = torch.full((len(fine),), -1)
        place[found] = torch.arange(len(found))
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        parts[split] = Split(images, place[numbers], tuple(fine[number] for number in found))
        contents |= {f"{split} images": images, f"{split} labels": parts[split].labels}
    key = {"contents": tensor_digest(contents), "classes": {of: list(classes[of]) for of in SPLITS}}
    return FewShotData(name, fingerprint=digest(key), **parts)


def _read(path: Path) -> tuple[NDArray[np.uint8], Tensor]:
    """Images [n, 32, 32, 3] uint8 and labels [n].

    Raises:
        ValueError: not the form.
    """
    content = unpickle(path)
    if not isinstance(content, dict) or not {"data", "labels"} <= content.keys():
        raise ValueError(f"{path} lacks data and labels; fetch it anew")
    pixels, labels = content["data"], torch.tensor([int(label) for label in content["labels"]])
    form = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim == 4
    if not form or pixels.shape[1:] != (32, 32, 3) or not 0 < len(pixels) == len(labels):
        raise ValueError(f"{path}: data must be uint8 [n, 32, 32, 3] with n labels; fetch it anew")
    return pixels, labels
