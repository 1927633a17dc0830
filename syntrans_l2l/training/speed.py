"""How fast a student trains, and what share of the device's arithmetic that is."""

import logging
import os
import time
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from syntrans_l2l.networks.student import Student

logger = logging.getLogger(__name__)

_LITTLE = 0.1  # of the peak: less than a student of customary size reaches on an idle machine
_BUSY = 1.5  # processes that want to run, for each processor
_PASSES = 3  # forward, and two products of the same size backward


def log_speed(
    stage: str,
    student: Student,
    image: Tensor,
    dtype: torch.dtype,
    images_per_second: float,
    *,
    devices: int = 1,
) -> None:
    """Log "STAGE: 412 images/s, 31% of the measured matrix peak (0.15 TFLOP/s in bfloat16)".

    Where that is little and other processes wait for the processors, a warning says so once.
    Nothing is measured where the logger does not listen to INFO.

    Args:
        stage: what was trained.
        student: in eval mode, on a device that trained it.
        image: one image [1, 3, H, W] in [0, 1] on that device.
        dtype: that products were computed in.
        images_per_second: of all devices together.
        devices: how many, each of the same peak.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    peak = devices * matrix_peak(dtype, image.device)
    used = _PASSES * flops(student, image) * images_per_second
    logger.info(
        "%s: %s images/s, %.0f%% of the measured matrix peak (%.2f TFLOP/s in %s)",
        stage,
        f"{images_per_second:,.0f}",
        100 * used / peak,
        peak / 1e12,
        str(dtype).removeprefix("torch."),
    )
    if used / peak < _LITTLE and waiting() > _BUSY:
        _say_busy()


def waiting() -> float:
    """Processes that wanted to run in the last minute, for each processor; 0 where none can say."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


@lru_cache  # so that it is said once
def _say_busy() -> None:
    logger.warning(
        "this machine is busy (%.1f processes for each processor): the times of this run are not "
        "those of an idle one",
        waiting(),
    )


@torch.no_grad()
def flops(student: Student, images: Tensor) -> int:
    """Of one forward pass; a multiplication and its addition are two."""
    with FlopCounterMode(display=False) as counter:
        student.embed(images)  # once, as training does, however many views features have
    return int(counter.get_total_flops())


@lru_cache
def matrix_peak(dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s of a large square matrix product, the best of a third of a second of trials."""
    size = 8192 if device.type == "cuda" else 1024
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(size, size, generator=generator).to(device, dtype)
    best, end = float("inf"), time.perf_counter() + 0.33
    while time.perf_counter() < end:
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for the device
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best
