"""The 60,000 images of CIFAR-100, read through learn2learn's CIFARFS and held as one tensor.

CIFAR-FS and FC100 are two ways of dividing the same 100 classes, so they share this file.
"""

import contextlib
import hashlib
import io
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import Cache, digest
from syntrans_l2l.datasets.base import SPLITS, FewShotData, Split
from syntrans_l2l.datasets.sources import how_to_get
from syntrans_l2l.progress import Progress, silent

logger = logging.getLogger(__name__)

_FOLDERS = {"train": "train", "validation": "val", "test": "test"}
HOW_TO_GET = how_to_get("cifar_fs")


def archive_classes(root: Path) -> dict[str, list[str]]:
    """The classes of each CIFAR-FS split, in learn2learn's (sorted) order.

    Raises:
        FileNotFoundError: the archive is missing or half-unpacked.
    """
    archive = root / "cifarfs" / "cifar100"
    if not archive.is_dir():
        raise FileNotFoundError(f"no CIFAR-FS archive at {archive}; {HOW_TO_GET}")
    classes = {}
    for split, folder in _FOLDERS.items():
        listing = archive / "splits" / "bertinetto" / f"{folder}.txt"
        if not listing.is_file():
            raise FileNotFoundError(f"the CIFAR-FS archive lacks {listing}; {HOW_TO_GET}")
        classes[split] = sorted(listing.read_text().split())
    missing = [
        name
        for names in classes.values()
        for name in names
        if not any((archive / "data" / name).glob("*.png"))
    ]
    if missing:
        raise FileNotFoundError(
            f"the CIFAR-FS archive is half-unpacked: {len(missing)} class folders are missing or "
            f"empty below {archive / 'data'} ({', '.join(missing[:3])}, ...); unpack it again"
        )
    return classes


def archive_counts(root: Path) -> dict[str, int]:
    """Images per class, by listing the archive's folders.

    Raises:
        FileNotFoundError: the archive is missing or half-unpacked.
    """
    data = root / "cifarfs" / "cifar100" / "data"
    return {
        name: sum(1 for _ in (data / name).glob("*.png"))
        for names in archive_classes(root).values()
        for name in names
    }


def load(
    name: str,
    splits: Mapping[str, Sequence[str]],
    root: Path,
    cache: Cache,
    progress: Progress = silent,
) -> FewShotData:
    """Divide the archive's images among `splits`, a mapping of split to class names.

    The first call decodes 60,000 PNG files (30 s); later ones read one tensor.

    Raises:
        FileNotFoundError: the archive is missing or half-unpacked.
    """
    with cache.turn(f"cifarfs-{digest({'root': str(root.resolve())})}"):
        files = _processed_files(root)  # makes a copy, which two processes would spoil
    key = {"images": "cifar100", "fingerprint": _fingerprint(files)}
    order = sorted(files)
    paths = [path for name in order for path in files[name]]
    tensors = cache.get("images", key, lambda: _decode(paths, progress))
    first, ranges = 0, {}
    for class_name in order:
        ranges[class_name] = (first, first + len(files[class_name]))
        first += len(files[class_name])

    def split(names: Sequence[str]) -> Split:
        rows = torch.cat([torch.arange(*ranges[name]) for name in names])
        counts = torch.tensor([len(files[name]) for name in names])
        labels = torch.arange(len(names)).repeat_interleave(counts)
        return Split(tensors["images"][rows], labels, tuple(names))

    parts = {part: split(splits[part]) for part in SPLITS}
    listing = f"{key['fingerprint']} {[list(splits[part]) for part in SPLITS]}"
    fingerprint = hashlib.sha256(listing.encode()).hexdigest()[:20]
    return FewShotData(name, fingerprint=fingerprint, **parts)


def _processed_files(root: Path) -> dict[str, list[Path]]:
    """Image files by class name, from learn2learn's CIFARFS."""
    classes = archive_classes(root)
    _discard_half_made_copy(root)
    dataset_class = learn2learn().vision.datasets.CIFARFS
    files: dict[str, list[Path]] = {}
    for split, names in classes.items():
        with contextlib.redirect_stdout(io.StringIO()):  # it prints "Creating CIFARFS splits"
            dataset = dataset_class(root=str(root), mode=split)
        if list(dataset.classes) != names:
            raise FileNotFoundError(
                f"{dataset.processed_root} does not hold the classes of the {split} split; "
                f"delete {root / 'cifarfs' / 'processed'} and start again"
            )
        for path, label in dataset.samples:
            files.setdefault(names[label], []).append(Path(path))
    return files


def _discard_half_made_copy(root: Path) -> None:
    """Remove learn2learn's copy of the archive where a killed run left it unfinished.

    CIFARFS takes any existing folder for a whole one.
    """
    processed = root / "cifarfs" / "processed"
    if not processed.exists():
        return
    counts = archive_counts(root)
    for split, names in archive_classes(root).items():
        for name in names:
            copied = sum(1 for _ in (processed / _FOLDERS[split] / name).glob("*.png"))
            if copied != counts[name]:
                logger.warning("unfinished copy %s: making it anew", processed)
                shutil.rmtree(processed)
                return


def _fingerprint(files: Mapping[str, Sequence[Path]]) -> str:
    """A hash of names and sizes: a whole second faster than one of contents."""
    sha = hashlib.sha256()
    for name in sorted(files):
        for path in files[name]:
            sha.update(f"{name}/{path.name} {path.stat().st_size}\n".encode())
    return sha.hexdigest()[:20]


def _decode(paths: Sequence[Path], progress: Progress) -> dict[str, Tensor]:
    """Read RGB images of one size into [n, 3, H, W] uint8."""
    images = torch.empty(0)
    with progress("reading images", total=len(paths), unit="img") as advance:
        for row, path in enumerate(paths):
            with Image.open(path) as image:
                pixels = torch.from_numpy(np.array(image.convert("RGB")))  # [H, W, 3]
            if row == 0:
                images = torch.empty(len(paths), 3, *pixels.shape[:2], dtype=torch.uint8)
            images[row] = pixels.permute(2, 0, 1)
            advance(1)
    return {"images": images}
