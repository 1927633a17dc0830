"""Any folder of pictures as a few-shot data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from syntrans_l2l.datasets.base import SPLITS, check_least, named_with_least
from syntrans_l2l.datasets.class_names import read_names
from syntrans_l2l.datasets.folders import is_folder
from syntrans_l2l.datasets.images import ImageBenchmark, ImageFiles, files_of_classes
from syntrans_l2l.datasets.splits_file import find_splits, from_listing

Classes = Mapping[str, Sequence[str]]


class ImageFolderBenchmark(ImageBenchmark):
    """The pictures of ROOT/CLASS/*.jpg (or png, bmp, tif, webp, ...), divided as `splits` says.

    ROOT/class_names.json may say what classes are called: {"n02110341": "dalmatian"}. Without
    it they are called as their folders are.

    Args:
        root: the folder of class folders; relative to the data root unless absolute.
        splits: the class folders of "train", "validation" (or "val") and "test"; or a JSON file
            of this form in `root`; or a folder there that holds train.csv, val.csv and test.csv,
            each of the columns filename and label. Empty takes what `root` has: splits.json, the
            three CSV files, or the folders train, val and test with class folders in them.
        size: pixels of a side: the shorter side is resized to it and the centre is kept.
        name: what the records call it; empty takes the folder's name.
        skip_small_classes: leave out classes of fewer images than this; the name says so.

    Raises:
        ValueError: a split is missing, or a class is in two of them.
    """

    def __init__(
        self,
        *,
        root: str | Path,
        splits: Classes | str = "",
        size: int = 84,
        name: str = "",
        skip_small_classes: int = 0,
    ) -> None:
        self.root = Path(root).expanduser()
        self.splits = splits
        self.size = size
        self.least = check_least(skip_small_classes)
        self.name = named_with_least(" ".join(name.split()) or self.root.name, self.least)

    def files(self, root: Path) -> ImageFiles:
        """The pictures of each class.

        Raises:
            FileNotFoundError: a folder or the file of splits is missing.
            ValueError: the splits do not fit.
        """
        folder = root / self.root
        if not is_folder(folder):
            raise FileNotFoundError(f"no folder of pictures at {folder}; correct root")
        if isinstance(self.splits, str):
            pictures = find_splits(folder, self.splits)
        else:
            pictures = from_listing(folder, self.splits, "ImageFolderBenchmark.splits")
        names = read_names(folder, pictures)
        kept = {
            split: {key: files for key, files in classes.items() if len(files) >= self.least}
            for split, classes in pictures.items()
        }
        if none := [split for split in SPLITS if not kept[split]]:
            raise ValueError(
                f"{self.name}: no class is left in {', '.join(none)}; lower skip_small_classes"
            )
        return files_of_classes(
            self.name,
            kept,
            size=self.size,
            names={split: {key: names[split][key] for key in kept[split]} for split in SPLITS},
        )
