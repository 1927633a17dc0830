"""The mining of a bank: from a data set's class names to descriptors and vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import SPLITS, Benchmark
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.bank_file import MinedBank
from syntrans_l2l.semantics.observe import BaseImages, Observation, Observer
from syntrans_l2l.semantics.synmine import SynMine


@dataclass(frozen=True, kw_only=True)
class Mining:
    """What one configuration file describes.

    Args:
        miner: describes, refines and encodes.
        dataset: whose classes are mined.
        class_names: the classes where there is no data set at hand.
        observer: looks at sample images of base classes; None for text alone.
        per_class: images of each base class that it sees.
        seed: of their choice.

    Raises:
        ValueError: neither a data set nor class names, or both; an observer without images.
    """

    miner: SynMine
    dataset: Benchmark | None = None
    class_names: Sequence[str] = ()
    observer: Observer | None = None
    per_class: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.dataset is None) == (not self.class_names):
            raise ValueError("Mining needs either a dataset or class_names: bind one of them")
        if self.observer is not None and self.dataset is None:
            raise ValueError("Mining.observer looks at base images: bind Mining.dataset")

    def classes(self, root: Path) -> list[str]:
        """The names to mine: base classes first.

        Raises:
            FileNotFoundError: the data set is not below `root`.
            ValueError: a name occurs twice.
        """
        names = list(self.class_names)
        if self.dataset is not None:
            counts = self.dataset.class_counts(root)
            names = [name for split in SPLITS for name in counts[split]]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"class names occur twice: {', '.join(twice[:8])}; rename them")
        return names

    def run(self, *, root: Path, cache: Cache, progress: Progress = silent) -> MinedBank:
        """Describe, observe, refine, encode.

        Args:
            root: where the data lies.
            cache: where the data set keeps its images.
            progress: draws bars.
        """
        names = self.classes(root)
        miner, observed = self.miner, "none"
        if self.dataset is not None:
            miner = miner.among(list(self.dataset.class_counts(root)["train"]))
        if self.observer is not None and self.dataset is not None:
            data = self.dataset.load(root, cache, progress)
            pictures = BaseImages(data, per_class=self.per_class, seed=self.seed)
            miner = miner.joined_by(Observation(self.observer, pictures))
            observed = f"{pictures.declared}, {self.per_class} a class, seed {self.seed}"
        descriptors = miner.mine(names, progress)
        return MinedBank(
            vectors=miner.encode(names, descriptors),
            descriptors=descriptors,
            dataset=self.dataset.name if self.dataset else "",
            observed=observed,
            made_by=miner.key(),
        )
