"""The loop that stages 0 and 1 share: augmented images in, one loss, resumable to the bit."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from syntrans_l2l.networks.student import Student
from syntrans_l2l.seeds import derived, seeded
from syntrans_l2l.training import checkpoint
from syntrans_l2l.training.augment import to_float
from syntrans_l2l.training.batches import Batch, BatchesOf, ImageTraining, batch_sizes
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.precision import autocast, resolve
from syntrans_l2l.training.speed import log_speed
from syntrans_l2l.training.workers import Workers

logger = logging.getLogger(__name__)


# features [n, D] of a batch -> loss
Loss = Callable[[Tensor, Batch], Tensor]
# a student in eval mode -> percent right on validation classes
Watch = Callable[[Student], float]


@dataclass
class Curve:
    """How a training went, a number for each epoch: mean loss, and what `Watch` said."""

    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)


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
    watch: Watch | None = None,
    mixup: float = 0.0,
    turning: bool = False,
) -> Curve:
    """Train `student` and `head` in place and return how it went.

    Args:
        student: left on the job's device, in eval mode.
        head: what `loss` computes with; trained and checkpointed beside the student.
        loss: of the student's features [n, D] and what the images were, `Batch`.
        images: [n, 3, H, W] uint8; kept on the device as they are.
        settings: the recipe.
        stage: what the bar says.
        job: its seed is that of order and augmentation. Its workers share each batch, and
            together see the views that one process would; BatchNorm's statistics are those of
            a share, unless `workers.setup` sees to it.
        checkpoint_path: written after every epoch and resumed from; resuming gives the same
            bits as running through.
        watch: looks at the student after each epoch, for the curve only.
        mixup: see `BaseTraining`.
        turning: whether images are turned, each by quarters of its own; needs squares.
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
    steps = len(batch_sizes(len(images), settings.batch_size))
    total_steps = settings.epochs * steps + 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        settings.learning_rate,
        total_steps=total_steps,
        pct_start=max(0.2, 2 / total_steps),  # a rise of no step at all divides by zero
    )
    average = _averaged(student, settings.average)
    curve = _resume(checkpoint_path, model, average, optimizer, schedule)
    objective, stepper = workers.setup(model, optimizer)
    images = images.to(device)

    total_images, done = settings.epochs * len(images), len(curve.loss) * len(images)
    start = time.perf_counter()
    bar = job.progress(stage, total=total_images, unit="img", done=done)
    with seeded(job.seed), bar as advance:
        for epoch in range(len(curve.loss), settings.epochs):
            torch.manual_seed(derived(job.seed, "epoch", epoch))  # of dropout, resumed or not
            objective.train()
            total = torch.zeros((), device=device)
            batches = BatchesOf(
                images, settings, workers, mixup, turning, job.seed * 100_003 + epoch
            )
            for views, batch in batches:
                value = objective(views.contiguous(memory_format=torch.channels_last), batch)
                stepper.zero_grad(set_to_none=True)
                workers.backward(value)
                stepper.step()
                schedule.step()
                if average is not None:
                    average.update_parameters(student)
                total += value.detach() * len(batch.places)
                advance(len(batch.places))
            curve.loss.append(float(total) / len(images))
            if watch is not None:
                curve.validation.append(watch(_kept(student, average).eval()))
            logger.info("%s, epoch %d: loss %.4f", stage, epoch + 1, curve.loss[-1])
            if checkpoint_path is not None and workers.rank == 0:
                checkpoint.save(
                    checkpoint_path,
                    {
                        "model": model.state_dict(),
                        "average": {} if average is None else average.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "schedule": schedule.state_dict(),
                        "curve": asdict(curve),
                    },
                )
    seconds = time.perf_counter() - start
    if average is not None:
        student.load_state_dict(_kept(student, average).state_dict())
    model.eval()
    if workers.rank == 0 and done < total_images:
        rate = (total_images - done) / seconds
        log_speed(stage, student, to_float(images[:1]), dtype, rate, devices=workers.count)
    return curve


class _Objective(nn.Module):
    """Student, head and loss in one module, because that is what several devices wrap.

    Shapes: views of this process' share [m, 3, H, W], and the whole batch of n -> [].
    """

    def __init__(
        self, student: Student, head: nn.Module, loss: Loss, workers: Workers, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.student, self.head = student, head
        self.loss, self.workers, self.dtype = loss, workers, dtype

    def forward(self, views: Tensor, batch: Batch) -> Tensor:
        with autocast(self.dtype, views.device):
            features = self.student.embed(views)
        return self.loss(self.workers.gather(features.float(), len(batch.places)), batch)


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


def _averaged(student: Student, decay: float) -> AveragedModel | None:
    """The moving average of the student's weights and BatchNorm statistics."""
    if not decay:
        return None
    return AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _kept(student: Student, average: AveragedModel | None) -> Student:
    """What training leaves: the average, where there is one."""
    return student if average is None else cast(Student, average.module)


def _resume(
    path: Path | None,
    model: nn.Module,
    average: AveragedModel | None,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> Curve:
    """Restore everything from `path`, where there is something, and return how far it went."""
    state = checkpoint.load(path) if path is not None else None
    if state is None:
        return Curve()
    model.load_state_dict(state["model"])
    if average is not None:
        average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    curve = Curve(**state["curve"])
    logger.info("resuming after epoch %d", len(curve.loss))
    return curve
