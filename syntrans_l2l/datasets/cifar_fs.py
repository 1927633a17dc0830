"""CIFAR-FS: CIFAR-100 divided at random into 64, 16 and 20 classes."""

from pathlib import Path

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import cifar100
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.progress import Progress, silent


class CifarFs:
    """CIFAR-FS with the split that its archive carries.

    Source: Bertinetto et al., "Meta-learning with differentiable closed-form solvers",
    ICLR 2019.
    """

    name = "cifar_fs"
    size = 32

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        counts = cifar100.archive_counts(root)
        return {
            split: {name: counts[name] for name in names}
            for split, names in cifar100.archive_classes(root).items()
        }

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        return cifar100.load(self.name, cifar100.archive_classes(root), root, cache, progress)
