"""CIFAR-FS: CIFAR-100 divided at random into 64, 16 and 20 classes."""

from pathlib import Path

from syntrans_l2l.datasets import cifar100
from syntrans_l2l.datasets.images import ImageBenchmark, ImageFiles


class CifarFs(ImageBenchmark):
    """CIFAR-FS with the split that its archive carries.

    Source: Bertinetto et al., "Meta-learning with differentiable closed-form solvers",
    ICLR 2019.
    """

    name = "cifar_fs"
    size = 32

    def files(self, root: Path) -> ImageFiles:
        return cifar100.archive_files(self.name, cifar100.archive_classes(root), root)
