"""Base and validation classes of one data set, test classes of another."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from syntrans_l2l.cache import Cache, digest
from syntrans_l2l.datasets.base import Benchmark, FewShotData, Split
from syntrans_l2l.datasets.features import FeatureData
from syntrans_l2l.datasets.images import ImageBenchmark
from syntrans_l2l.experiment.overlap import NamedClass, shared_classes
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.reporting.identity import with_code

logger = logging.getLogger(__name__)

Shared = Literal["refuse", "drop", "keep"]
Counts = Mapping[str, Mapping[str, int]]  # images of each class, by split


class CrossDomain:
    """A data set made of two; see `Experiment.test_dataset`.

    Args:
        source: its train and validation classes are taken.
        target: its test classes are taken.
        shared: what happens to test classes that the source's train or validation has too:
            "refuse" raises, "drop" leaves them out, "keep" tests on them all the same.
    """

    def __init__(self, source: Benchmark, target: Benchmark, shared: Shared = "refuse") -> None:
        self.source = source
        self.target = target
        self.shared = shared
        self.name = f"{source.name} to {target.name}"

    @property
    def size(self) -> int | None:
        """Pixels of a side of the pictures that students are trained on."""
        return self.source.size

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        counts, tested = self.source.class_counts(root), self.target.class_counts(root)
        left_out = self._left_out(root, counts, tested)
        kept = {name: count for name, count in tested["test"].items() if name not in left_out}
        return {**counts, "test": kept}

    def check_images(self, root: Path, progress: Progress = silent) -> None:
        self.source.check_images(root, progress)
        self.target.check_images(root, progress)

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        """Read both.

        Raises:
            ValueError: classes are shared and to be refused, or features do not fit each other.
        """
        counts, tested = self.source.class_counts(root), self.target.class_counts(root)
        left_out = self._left_out(root, counts, tested)
        source = self.load_source(root, cache, progress)
        target = with_code(self.target.load(root, cache, progress), self.target)
        if left_out:
            told = ", ".join(left_out)
            logger.warning("%s: left out, because both have them: %s", self.name, told)
        key = {"source": source.fingerprint, "target": target.fingerprint, "left_out": left_out}
        test, rows = _without(target.test, left_out)
        joined = replace(
            source,
            name=self.name + (f", {len(left_out)} shared classes left out" if left_out else ""),
            test=test,
            fingerprint=digest(key),
        )
        if isinstance(joined, FeatureData) and isinstance(target, FeatureData):
            return _of_both(joined, target, rows)
        return joined

    def load_source(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        """The whole data set that students are trained on."""
        return with_code(self.source.load(root, cache, progress), self.source)

    def advice(self) -> str:
        """How to give the pictures of both one size."""
        size = self.source.size
        if "size" in signature(type(self.target)).parameters:
            return f"set {type(self.target).__name__}.size = {size}"
        return f"{self.source.name} has pictures of {size} px: take data sets of one size"

    def _left_out(self, root: Path, counts: Counts, of_target: Counts) -> list[str]:
        """The test classes that are dropped.

        Raises:
            ValueError: there are shared classes, and they are to be refused.
        """
        if self.shared == "keep":
            return []
        seen = _classes(self.source, root, counts, ("train", "validation"))
        tested = _classes(self.target, root, of_target, ("test",))
        found = shared_classes(seen, tested)
        if found and self.shared == "refuse":
            raise ValueError(
                f"{len(found)} of the {len(tested)} test classes of {self.target.name} are also "
                f"train or validation classes of {self.source.name}: {', '.join(found)}; set "
                "Experiment.shared_classes = 'drop' to leave them out, or 'keep'"
            )
        return found


def _classes(
    dataset: Benchmark, root: Path, counts: Counts, splits: Sequence[str]
) -> list[NamedClass]:
    """The classes of splits, known by their WordNet ids where the files say them."""
    names = [name for split in splits for name in counts[split]]
    if not isinstance(dataset, ImageBenchmark):
        return list(map(NamedClass, names, names))
    keys = dataset.files(root).class_keys
    return list(map(NamedClass, names, (key for split in splits for key in keys[split])))


def _without(split: Split, names: Sequence[str]) -> tuple[Split, Tensor]:
    """A split without some of its classes, and its rows; copied only where there are some."""
    if not names:
        return split, torch.arange(len(split.labels))
    kept = [place for place, name in enumerate(split.class_names) if name not in names]
    new = torch.full((len(split.class_names),), -1)
    new[kept] = torch.arange(len(kept))
    rows = torch.where(new[split.labels] >= 0)[0]
    left = Split(
        split.images[rows],
        new[split.labels[rows]],
        tuple(split.class_names[place] for place in kept),
        tuple(split.class_keys[place] for place in kept),
        tuple(split.image_names[row] for row in rows.tolist()) if split.image_names else (),
    )
    return left, rows


def _of_both(joined: FeatureData, target: FeatureData, rows: Tensor) -> FeatureData:
    """The source's features with what the target says of its own, which are tested on.

    Args:
        joined: where all but the test split is the source's.
        target: the other data.
        rows: of the target's test split that are kept.

    Raises:
        ValueError: their widths differ.
    """
    widths = joined.train.images.shape[1], target.test.images.shape[1]
    if widths[0] != widths[1]:
        raise ValueError(
            f"the features of {joined.name} have the widths {widths[0]} and {widths[1]}: make "
            "both with one encoder"
        )
    taught = joined.teacher_features
    if taught is not None:
        theirs = target.teacher_features if target.teacher == joined.teacher else None
        test = torch.full((len(rows), taught["train"].shape[1]), torch.nan)
        taught = {**taught, "test": test if theirs is None else theirs["test"][rows]}
    return replace(
        joined,
        encoder=" and ".join(dict.fromkeys((joined.encoder, target.encoder))),
        teacher_features=taught,
        shared_space=joined.shared_space and target.shared_space,
    )
