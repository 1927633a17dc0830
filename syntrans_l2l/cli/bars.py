"""Progress on the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

_SECONDS = 1.0  # shorter stages show no bar


@contextmanager
def bar(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Callable[[int], object]]:
    """One progress bar a stage, with speed and time left; see `syntrans_l2l.progress.Progress`."""
    with tqdm(
        desc=stage,
        total=total,
        unit=unit,
        initial=done,
        unit_scale=True,
        mininterval=0.5,
        delay=_SECONDS,
    ) as drawn:
        yield drawn.update
