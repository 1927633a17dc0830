"""How long stages report: the library counts, the command line draws."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], object]


class Progress(Protocol):
    """Opens a bar of `total` units and gives a function that advances it."""

    def __call__(
        self, stage: str, *, total: int, unit: str, done: int = 0
    ) -> AbstractContextManager[Advance]: ...


@contextmanager
def silent(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
    """The library's default: draw nothing."""
    yield lambda count: None


def titled(progress: Progress, name: str) -> Progress:
    """The same bars, each with a name before its stage."""

    def named(
        stage: str, *, total: int, unit: str, done: int = 0
    ) -> AbstractContextManager[Advance]:
        return progress(f"{name}: {stage}", total=total, unit=unit, done=done)

    return named
