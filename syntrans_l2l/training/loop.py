"""The loop that stages 0 and 1 share: augmented images in, one loss, resumable to the bit."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from syntrans_l2l.networks.student import Student
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.training import checkpoint
from syntrans_l2l.training.augment import colour_jitter, random_crop, to_float
from syntrans_l2l.training.precision import Precision, autocast, resolve

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
    seed: int,
    device: torch.device,
    checkpoint_path: Path | None = None,
    progress: Progress = silent,
) -> list[float]:
    """Train `student` and `head` in place and return the mean loss of each epoch.

    Args:
        student: left on `device`, in eval mode.
        head: what `loss` computes with; trained and checkpointed beside the student.
        loss: of the student's features [n, D] and the images' places in `images` [n].
        images: [n, 3, H, W] uint8; kept on the device as they are.
        settings: the recipe.
        stage: what the bar says.
        seed: of order and augmentation.
        device: where to train.
        checkpoint_path: written after every epoch and resumed from; resuming gives the same
            bits as running through.
        progress: draws the bar.
    """
    model = nn.Sequential(student, head).to(device).to(memory_format=torch.channels_last)
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
    dtype = resolve(settings.precision, device)
    images = images.to(device)
    padding = max(4, images.shape[-1] // 10)  # 4 px at 32, 8 px at 84

    total_images, done = settings.epochs * len(images), len(losses) * len(images)
    with progress(stage, total=total_images, unit="img", done=done) as advance:
        for epoch in range(len(losses), settings.epochs):
            model.train()
            generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
            total = torch.zeros((), device=device)
            order = torch.randperm(len(images), generator=generator)
            for places in order.split(settings.batch_size):
                places = places.to(device)
                views = to_float(random_crop(images[places], padding, generator))
                views = colour_jitter(views, settings.jitter, generator)
                views = views.contiguous(memory_format=torch.channels_last)
                with autocast(dtype, device):
                    features = student(views)
                value = loss(features.float(), places)
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                optimizer.step()
                schedule.step()
                total += value.detach() * len(places)
                advance(len(places))
            losses.append(float(total) / len(images))
            logger.info("%s, epoch %d: loss %.4f", stage, epoch + 1, losses[-1])
            if checkpoint_path is not None:
                checkpoint.save(
                    checkpoint_path,
                    {
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "schedule": schedule.state_dict(),
                        "losses": losses,
                    },
                )
    model.eval()
    return losses


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
