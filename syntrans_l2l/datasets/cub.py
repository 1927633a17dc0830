"""CUB: 200 species of birds divided into 100, 50 and 50, a taskset that learn2learn lacks."""

from pathlib import Path

from syntrans_l2l.datasets import published
from syntrans_l2l.datasets.folders import class_folders, image_files
from syntrans_l2l.datasets.images import ImageBenchmark, ImageFiles, files_of_classes
from syntrans_l2l.datasets.sources import how_to_get


class Cub(ImageBenchmark):
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

    def files(self, root: Path) -> ImageFiles:
        pictures = {
            split: {name: image_files(folder) for name, folder in classes.items()}
            for split, classes in _folders(root).items()
        }
        return files_of_classes(self.name, pictures, size=self.size)


def _folders(root: Path) -> dict[str, dict[str, Path]]:
    """The folder of each species by split, under its name without the number.

    Raises:
        FileNotFoundError: the archive is missing or half-unpacked.
    """
    places = [root / "cubirds200" / "CUB_200_2011", root / "CUB_200_2011"]
    archive = next((place for place in places if (place / "images").is_dir()), None)
    if archive is None:
        raise FileNotFoundError(f"no CUB at {places[0]} or {places[1]}; {how_to_get(Cub.name)}")
    images = archive / "images"
    by_number = {folder.name[:3]: folder for folder in class_folders(images)}
    listing = archive / "images.txt"
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    listed = [line.split()[1] for line in lines if line.strip()]  # "1 001.SPECIES/PICTURE.jpg"
    missing = [path for path in listed if not (images / path).is_file()]
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
