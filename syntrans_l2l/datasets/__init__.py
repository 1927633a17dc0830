"""Data sets by name."""

from syntrans_l2l.datasets.base import Benchmark
from syntrans_l2l.datasets.base import FewShotData as FewShotData
from syntrans_l2l.datasets.base import Split as Split
from syntrans_l2l.datasets.cifar_fs import CifarFs
from syntrans_l2l.datasets.cub import Cub
from syntrans_l2l.datasets.fc100 import Fc100
from syntrans_l2l.datasets.generated import Generated
from syntrans_l2l.datasets.mini_imagenet import MiniImagenet
from syntrans_l2l.datasets.tiered_imagenet import TieredImagenet

_BENCHMARKS: dict[str, type[Benchmark]] = {
    maker.name: maker for maker in (CifarFs, Fc100, MiniImagenet, TieredImagenet, Cub, Generated)
}


def benchmark(name: str) -> Benchmark:
    """The data set called `name`.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in _BENCHMARKS:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(_BENCHMARKS)}")
    return _BENCHMARKS[name]()
