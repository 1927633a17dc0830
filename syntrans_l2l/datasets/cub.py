"""CUB: 200 species of birds divided into 100, 50 and 50, a taskset that learn2learn lacks."""

from pathlib import Path

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import published
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.datasets.images import from_folders, image_files
from syntrans_l2l.datasets.sources import how_to_get
from syntrans_l2l.progress import Progress, silent


class Cub:
    """Caltech-UCSD Birds 200-2011, in its own folders or below learn2learn's `cubirds200`.

    Whole pictures, not cropped to the birds. The 43 pictures that ImageNet holds too stay in,
    as in the published results; they matter where an encoder has seen ImageNet.

    Source: Wah et al., "The Caltech-UCSD Birds-200-2011 dataset", 2011; the division is that of
    FEAT (Ye et al., CVPR 2020). learn2learn's own lists divide 140 / 30 / 30 instead.

    Args:
        size: pixels of a side: the shorter side is resized to it and the centre is kept.
    """

    name = "cub"

    def __init__(self, size: int = 84) -> None:
        self.size = size

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        return {
            split: {name: len(image_files(folder)) for name, folder in classes.items()}
            for split, classes in _folders(root).items()
        }

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        return from_folders(
            self.name, _folders(root), size=self.size, cache=cache, progress=progress
        )


def _folders(root: Path) -> dict[str, dict[str, Path]]:
    """The folder of each species by split, under its name without the number.

    Raises:
        FileNotFoundError: the archive is missing or half-unpacked.
    """
    places = [root / "cubirds200" / "CUB_200_2011", root / "CUB_200_2011"]
    archive = next((place for place in places if (place / "images").is_dir()), None)
    if archive is None:
        raise FileNotFoundError(f"no CUB at {places[0]} or {places[1]}; {how_to_get(Cub.name)}")
    by_number = {folder.name[:3]: folder for folder in sorted((archive / "images").iterdir())}
    listing = archive / "images.txt"
    listed = [line.split()[1] for line in listing.read_text().splitlines() if line.strip()] if (
        listing.is_file()
    ) else []  # fmt: skip
    missing = [path for path in listed if not (archive / "images" / path).is_file()]
    folders = {}
    for split, numbers in published.classes(Cub.name).items():
        missing += [f"species {number}" for number in numbers if number not in by_number]
        folders[split] = {
            by_number[number].name.split(".", 1)[1]: by_number[number]
            for number in numbers
            if number in by_number
        }
    if missing:
        raise FileNotFoundError(
            f"CUB is half-unpacked below {archive}: {len(missing)} missing "
            f"({', '.join(missing[:3])}, ...); unpack CUB_200_2011.tgz again"
        )
    return folders
