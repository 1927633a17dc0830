"""Processes that train one student together, each on its share of every batch."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer


class Workers(Protocol):
    """What the training loop asks of the processes beside it; `rank` 0 to `count` - 1.

    The features of all shares are put together before the loss, which every process computes of
    the whole batch: so losses between the images of a batch stay what they are in one process.
    """

    rank: int
    count: int

    def setup(self, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Both, as training is to use them: their gradients are averaged over the processes."""
        ...

    def gather(self, features: Tensor, total: int) -> Tensor:
        """Features of this process' share [m, D] -> of all `total` images of the batch [n, D].

        Through it, averaged gradients are those of the loss in one process.
        """
        ...

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        ...

    def first(self) -> AbstractContextManager[object]:
        """A block that rank 0 goes through before the others enter."""
        ...


class Alone:
    """One process, in which torch works as ever."""

    rank = 0
    count = 1

    def setup(self, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        return module, optimizer

    def gather(self, features: Tensor, total: int) -> Tensor:
        return features

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    @contextmanager
    def first(self) -> Iterator[None]:
        yield


ALONE: Workers = Alone()


def share(total: int, rank: int, count: int) -> slice:
    """The rows of a batch of `total` that process `rank` of `count` works on.

    Shares differ by one row at most. None is empty, because BatchNorm needs images: where there
    are fewer rows than processes, some hold a row that is another's too, and `owned` drops it.
    """
    own = owned(total, rank, count)
    return slice(own.start, max(own.stop, own.start + 1))


def owned(total: int, rank: int, count: int) -> slice:
    """The rows that count as process `rank`'s: each row is one process'."""
    return slice(total * rank // count, total * (rank + 1) // count)
