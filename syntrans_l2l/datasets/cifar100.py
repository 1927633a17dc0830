"""CIFAR-100 in the class folders of the CIFAR-FS archive, unpacked where learn2learn does it.

CIFAR-FS and FC100 are two ways of dividing the same 100 classes, so they share this file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from syntrans_l2l.datasets.folders import image_files
from syntrans_l2l.datasets.images import FILE_NAMES, ImageFiles, files_of_classes
from syntrans_l2l.datasets.sources import how_to_get

SIZE = 32
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
    for split, name in FILE_NAMES.items():
        listing = archive / "splits" / "bertinetto" / f"{name}.txt"
        if not listing.is_file():
            raise FileNotFoundError(f"the CIFAR-FS archive lacks {listing}; {HOW_TO_GET}")
        classes[split] = sorted(listing.read_text(encoding="utf-8").split())
    return classes


def archive_files(name: str, splits: Mapping[str, Sequence[str]], root: Path) -> ImageFiles:
    """The archive's images divided among `splits`, a mapping of split to class names.

    Raises:
        FileNotFoundError: the archive is missing or half-unpacked.
    """
    data = root / "cifarfs" / "cifar100" / "data"
    pictures = {
        split: {each: image_files(data / each) if (data / each).is_dir() else [] for each in names}
        for split, names in splits.items()
    }
    missing = [
        each for classes in pictures.values() for each, files in classes.items() if not files
    ]
    if missing:
        raise FileNotFoundError(
            f"the CIFAR-FS archive is half-unpacked: {len(missing)} class folders are missing or "
            f"empty below {data} ({', '.join(missing[:3])}, ...); unpack it again"
        )
    return files_of_classes(name, pictures, size=SIZE)
