"""The loop that stages 0 and 1 share: augmented images in, one loss, resumable to the bit."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from syntrans_l2l.networks.student import Student
from syntrans_l2l.training import checkpoint
from syntrans_l2l.training.augment import colour_jitter, crop, draw_crops, draw_jitter, to_float
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.precision import Precision, autocast, resolve
from syntrans_l2l.training.speed import log_speed
from syntrans_l2l.training.workers import Workers, share

logger = logging.getLogger(__name__)

# features [n, D] and the images' places [n] -> loss
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class ImageTraining:
    """How the student is shown images.

    Args:
        epochs: passes over the images.
        batch_size: images a step.
        learning_rate: peak of the one-cycle schedule.
        momentum: of SGD with Nesterov's correction.
        weight_decay: on all weights but those of BatchNorm and other vectors.
        jitter: strength of the colour jitter.
        precision: "auto" takes bfloat16 where the device computes it natively.
    """

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    jitter: float = 0.4
    precision: Precision = "auto"


def train_on_images(
    student: Student,
    head: nn.Module,
    loss: Loss,
    images: Tensor,
    settings: ImageTraining,
    *,
    stage: str,
    job: Job,
    checkpoint_path: Path | None = None,
) -> list[float]:
    """Train `student` and `head` in place and return the mean loss of each epoch.

    Args:
        student: left on the job's device, in eval mode.
        head: what `loss` computes with; trained and checkpointed beside the student.
        loss: of the student's features [n, D] and the images' places in `images` [n].
        images: [n, 3, H, W] uint8; kept on the device as they are.
        settings: the recipe.
        stage: what the bar says.
        job: its seed is that of order and augmentation. Its workers share each batch, and
            together see the views that one process would; BatchNorm's statistics are those of
            a share, unless `workers.setup` sees to it.
        checkpoint_path: written after every epoch and resumed from; resuming gives the same
            bits as running through.
    """
    device, workers = job.device, job.workers
    dtype = resolve(settings.precision, device)
    model = _Objective(student, head, loss, workers, dtype)
    model = model.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        _parameter_groups(model, settings.weight_decay),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=True,
    )
    steps = math.ceil(len(images) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.epochs * steps + 1, pct_start=0.2
    )
    losses = _resume(checkpoint_path, model, optimizer, schedule)
    objective, stepper = workers.setup(model, optimizer)
    images = images.to(device)
    padding = max(4, images.shape[-1] // 10)  # 4 px at 32, 8 px at 84

    total_images, done = settings.epochs * len(images), len(losses) * len(images)
    start = time.perf_counter()
    with job.progress(stage, total=total_images, unit="img", done=done) as advance:
        for epoch in range(len(losses), settings.epochs):
            objective.train()
            generator = torch.Generator().manual_seed(job.seed * 100_003 + epoch)
            total = torch.zeros((), device=device)
            order = torch.randperm(len(images), generator=generator)
            for places in order.split(settings.batch_size):
                count = len(places)
                places = places.to(device)
                crops = draw_crops(count, padding, generator)
                factors = draw_jitter(count, settings.jitter, generator)
                own = share(count, workers.rank, workers.count)
                views = to_float(crop(images[places[own]], padding, crops[:, own]))
                views = colour_jitter(views, factors[:, own])
                value = objective(views.contiguous(memory_format=torch.channels_last), places)
                stepper.zero_grad(set_to_none=True)
                workers.backward(value)
                stepper.step()
                schedule.step()
                total += value.detach() * count
                advance(count)
            losses.append(float(total) / len(images))
            logger.info("%s, epoch %d: loss %.4f", stage, epoch + 1, losses[-1])
            if checkpoint_path is not None and workers.rank == 0:
                checkpoint.save(
                    checkpoint_path,
                    {
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "schedule": schedule.state_dict(),
                        "losses": losses,
                    },
                )
    seconds = time.perf_counter() - start
    model.eval()
    if workers.rank == 0 and done < total_images:
        rate = (total_images - done) / seconds
        log_speed(stage, student, to_float(images[:1]), dtype, rate, devices=workers.count)
    return losses


class _Objective(nn.Module):
    """Student, head and loss in one module, because that is what several devices wrap.

    Shapes: views of this process' share [m, 3, H, W], places of the whole batch [n] -> [].
    """

    def __init__(
        self, student: Student, head: nn.Module, loss: Loss, workers: Workers, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.student, self.head = student, head
        self.loss, self.workers, self.dtype = loss, workers, dtype

    def forward(self, views: Tensor, places: Tensor) -> Tensor:
        with autocast(self.dtype, views.device):
            features = self.student.embed(views)
        return self.loss(self.workers.gather(features.float(), len(places)), places)


def check_training_images(images: Tensor, rows: int, what: str) -> None:
    """Raise ValueError where images are not uint8 [n, 3, H, W] with n rows of `what`."""
    if images.dtype != torch.uint8 or images.ndim != 4 or len(images) != rows:
        raise ValueError(
            f"images must be uint8 [n, 3, H, W] with n {what}, got {images.dtype} "
            f"{tuple(images.shape)} and {rows} {what}"
        )


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels only."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    free = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


def _resume(
    path: Path | None,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> list[float]:
    """Restore everything from `path`, where there is something, and return its losses."""
    state = checkpoint.load(path) if path is not None else None
    if state is None:
        return []
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    losses: list[float] = state["losses"]
    logger.info("resuming after epoch %d", len(losses))
    return losses
