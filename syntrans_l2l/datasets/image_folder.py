"""Any folder of class folders as a few-shot data set."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import ALIASES, SPLITS, FewShotData
from syntrans_l2l.datasets.images import from_folders, image_files
from syntrans_l2l.progress import Progress, silent

Classes = Mapping[str, Sequence[str]]


class ImageFolderBenchmark:
    """The images of ROOT/CLASS/*.jpg (or png, bmp, webp, ppm), divided as `splits` says.

    Args:
        root: the folder of class folders; relative to the data root unless absolute.
        splits: the class folders of "train", "validation" (or "val") and "test", or a JSON file
            of this form beside them.
        size: pixels of a side: the shorter side is resized to it and the centre is kept.
        name: what the records call it; empty takes the folder's name.

    Raises:
        ValueError: a split is missing, or a class is in two of them.
    """

    def __init__(
        self, *, root: str | Path, splits: Classes | str, size: int = 84, name: str = ""
    ) -> None:
        self.root = Path(root).expanduser()
        self.splits = splits
        self.size = size
        self.name = name or self.root.name

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        return {
            split: {name: len(image_files(folder)) for name, folder in classes.items()}
            for split, classes in self._folders(root / self.root).items()
        }

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        folders = self._folders(root / self.root)
        return from_folders(self.name, folders, size=self.size, cache=cache, progress=progress)

    def _folders(self, root: Path) -> dict[str, dict[str, Path]]:
        """The folder of each class by split.

        Raises:
            FileNotFoundError: a folder or the file of splits is missing.
            ValueError: the splits do not fit.
        """
        splits = self.splits
        if isinstance(splits, str):
            if not (root / splits).is_file():
                raise FileNotFoundError(
                    f"no file of splits at {root / splits}: it is JSON of the form "
                    '{"train": ["CLASS", ...], "val": [...], "test": [...]}'
                )
            splits = json.loads((root / splits).read_text())
        named = {ALIASES.get(split, split): names for split, names in splits.items()}
        if set(named) != set(SPLITS):
            raise ValueError(
                f"ImageFolderBenchmark.splits must name train, val and test, got {sorted(splits)}"
            )
        classes = [name for split in SPLITS for name in named[split]]
        if len(set(classes)) != len(classes):
            twice = sorted({name for name in classes if classes.count(name) > 1})
            raise ValueError(f"ImageFolderBenchmark.splits names {', '.join(twice[:3])} twice")
        missing = [name for name in classes if not (root / name).is_dir()]
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} class folders are missing below {root} "
                f"({', '.join(missing[:3])}, ...); correct root or splits"
            )
        return {split: {name: root / name for name in named[split]} for split in SPLITS}
