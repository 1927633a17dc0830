"""The cells of a sweep: one method at one seed and number of shots, here or on Ray's workers."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syntrans_l2l.cli.common import device

RETRIES = 3  # of a cell whose worker died


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method at one seed and number of shots on the data of one gin file."""

    gin: Path
    bindings: tuple[str, ...]
    seed: int
    shots: int
    method: str

    def __str__(self) -> str:
        return f"{self.gin.stem}, seed {self.seed}, {self.shots}-shot, {self.method}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where cells find data and stages and leave records, the versions that these name,
    and the device."""

    root: Path
    cache: Path
    out: Path
    versions: Mapping[str, str]
    device: str | None


def run_cell(cell: Cell, place: Place, progress: Any = None) -> str:
    """Compute the cell's record where there is none; what went wrong, or nothing."""
    # imported here, because a worker's process begins here
    from dataclasses import replace

    from syntrans_l2l.cache import Cache
    from syntrans_l2l.experiment.config import load_experiment, operative_config
    from syntrans_l2l.progress import silent
    from syntrans_l2l.reporting.records import RecordStore

    try:
        experiment = load_experiment(cell.gin, list(cell.bindings))
        titles = {cell.method, experiment.reference}  # the difference to the reference is recorded
        methods = [row for row in experiment.rows if row.title in titles]
        alone = replace(experiment, methods=methods, shots=[cell.shots], comparisons=())
        for _ in alone.run(
            root=place.root,
            cache=Cache(place.cache),
            store=RecordStore(place.out),
            config=operative_config(),
            versions=place.versions,
            device=device(place.device),
            progress=progress or silent,
        ):
            pass
    except Exception as error:  # whatever it is, the other cells go on
        return f"{type(error).__name__}: {error}"
    return ""


def cells_here(cells: Sequence[Cell], place: Place) -> Iterator[tuple[Cell, str]]:
    """Cells one after the other, in this process."""
    from syntrans_l2l.cli.bars import bar

    for cell in cells:
        yield cell, run_cell(cell, place, bar)


def cells_on_ray(
    cells: Sequence[Cell], place: Place, *, workers: int, address: str | None, gpus: float
) -> Iterator[tuple[Cell, str]]:
    """Cells in the order in which they end.

    Args:
        cells: references before what is compared with them.
        place: what all workers share.
        workers: processes on this machine where there is no `address`.
        address: of a running cluster.
        gpus: of a GPU that a cell holds.

    Raises:
        ImportError: Ray is not installed.
        ConnectionError: no cluster at --address.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            f"several workers need Ray ({error}); install it with: "
            'pip install "syntrans-l2l[cluster]"'
        ) from error

    if address:
        ray.init(address=address, log_to_driver=False)
    else:
        ray.init(
            num_cpus=workers, include_dashboard=False, log_to_driver=False,
            logging_level=logging.ERROR,
        )  # fmt: skip
    return _collected(ray, cells, place, gpus)


def _collected(
    ray: Any, cells: Sequence[Cell], place: Place, gpus: float
) -> Iterator[tuple[Cell, str]]:
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(run_cell)
    running = {task.remote(cell, place): cell for cell in cells}
    try:
        while running:
            [done], _ = ray.wait(list(running))
            cell = running.pop(done)
            try:
                yield cell, ray.get(done)
            except ray.exceptions.RayError as error:
                yield cell, f"its worker died {RETRIES + 1} times ({type(error).__name__})"
    finally:
        ray.shutdown()
