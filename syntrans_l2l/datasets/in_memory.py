"""Data that are loaded already, where an experiment asks for a data set."""

from pathlib import Path

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.datasets.features import FeatureData
from syntrans_l2l.progress import Progress, silent


class InMemory:
    """Images in memory as a data set.

    Args:
        data: what there is.
    """

    def __init__(self, data: FewShotData) -> None:
        self.data = data
        self.name = data.name

    @property
    def size(self) -> int | None:
        """Pixels of a side."""
        return int(self.data.test.images.shape[-1])

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        return {split: getattr(self.data, split).named_counts() for split in SPLITS}

    def check_images(self, root: Path, progress: Progress = silent) -> None:
        """Nothing is left to open."""

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        return self.data


class FeaturesInMemory(FeatureBenchmark):
    """Features in memory as a data set.

    Args:
        data: what there is.
    """

    def __init__(self, data: FeatureData) -> None:
        super().__init__(data.name)
        self.data = data
        self.name = data.name

    def _read(self, root: Path) -> FeatureData:
        return self.data
