"""How a computation is run: what changes its course and not its meaning."""

from dataclasses import dataclass

import torch

from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.training.workers import ALONE, Workers

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Job:
    """The values that travel together through every stage.

    Args:
        seed: of everything random.
        device: where to train and predict.
        progress: draws bars.
        workers: who train students together; of several, only rank 0 draws bars and writes.
    """

    seed: int = 0
    device: torch.device = CPU
    progress: Progress = silent
    workers: Workers = ALONE
