"""Data that are loaded already, where an experiment asks for a data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from syntrans_l2l.cache import Cache, digest, tensor_digest
from syntrans_l2l.datasets import features as file
from syntrans_l2l.datasets.base import ALIASES, SPLITS, FewShotData, Split
from syntrans_l2l.datasets.features import FeatureBenchmark, FeatureData
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


def feature_data(
    features: Any,
    labels: Any,
    class_names: Sequence[str],
    split: Sequence[str],
    *,
    name: str = "features",
    encoder: str = "given features",
) -> FeatureData:
    """Arrays in memory as a data set of features, of the form that `FeatureBenchmark` reads.

    Args:
        features: [n, D], numpy or torch.
        labels: [n], places in `class_names`, numpy or torch.
        class_names: [C].
        split: of each class, [C]: train, val or test; train may be absent.
        name: of the data set, for the records.
        encoder: what made the features, for the records.

    Raises:
        ValueError: they are not of this form.
    """
    vectors, places = torch.as_tensor(features).float(), torch.as_tensor(labels)
    names, of = list(class_names), [ALIASES.get(each, each) for each in split]
    file._check(Path(name), vectors, places, names, of)
    places, parts = places.long(), {}
    for each in SPLITS:
        classes = [label for label, its in enumerate(of) if its == each]
        new = torch.full((len(names),), -1)
        new[classes] = torch.arange(len(classes))
        rows = torch.where(new[places] >= 0)[0]
        parts[each] = Split(
            vectors[rows], new[places[rows]], tuple(names[label] for label in classes)
        )
    contents = tensor_digest({"features": vectors, "labels": places})
    fingerprint = digest({"tensors": contents, "class_names": names, "split": of})
    return FeatureData(name=name, fingerprint=fingerprint, encoder=encoder, **parts)
