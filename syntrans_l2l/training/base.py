"""Stage 0: base training of the student with a cosine classifier."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.networks.student import Student
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.training import checkpoint
from syntrans_l2l.training.augment import colour_jitter, random_crop, to_float
from syntrans_l2l.training.precision import Precision, autocast, resolve

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BaseTraining:
    """How stage 0 is run.

    Source: the cosine classifier is Gidaris & Komodakis (CVPR 2018) and Chen et al.
    (ICLR 2019); its place as SynTrans' starting point is our reconstruction.

    Args:
        epochs: passes over the base images.
        batch_size: images a step.
        learning_rate: peak of the one-cycle schedule.
        momentum: of SGD with Nesterov's correction.
        weight_decay: on all weights but those of BatchNorm and the temperature.
        temperature: the start of the learned tau.
        jitter: strength of the colour jitter.
        precision: "auto" takes bfloat16 where the device computes it natively.
    """

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    temperature: float = 10.0
    jitter: float = 0.4
    precision: Precision = "auto"


class CosineClassifier(nn.Module):
    """tau * cos(z, W_c) with learned W [B, D] and tau.

    Shapes: features [n, D] -> logits [n, B].
    """

    def __init__(self, features: int, classes: int, temperature: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, features) / math.sqrt(features))
        self.temperature = nn.Parameter(torch.tensor(temperature))

    def forward(self, features: Tensor) -> Tensor:
        cosine = F.linear(F.normalize(features, dim=-1), F.normalize(self.weight, dim=-1))
        return self.temperature * cosine


def train_base(
    student: Student,
    images: Tensor,
    labels: Tensor,
    settings: BaseTraining,
    *,
    seed: int,
    device: torch.device,
    checkpoint_path: Path | None = None,
    progress: Progress = silent,
) -> list[float]:
    """Train `student` in place and return the mean loss of each epoch.

    Args:
        student: on any device; left on `device`, in eval mode.
        images: base images [n, 3, H, W] uint8.
        labels: [n] int64, 0 to B - 1.
        settings: the recipe.
        seed: of the classifier's start, the order and the augmentation.
        device: where to train; the images are kept there as uint8.
        checkpoint_path: written after every epoch and resumed from; resuming gives the same
            bits as running through.
        progress: draws the bar.

    Raises:
        ValueError: images and labels do not fit each other.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or len(images) != len(labels):
        raise ValueError(
            f"images must be uint8 [n, 3, H, W] with n labels, got {images.dtype} "
            f"{tuple(images.shape)} and {len(labels)} labels"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classes = int(labels.max()) + 1
        classifier = CosineClassifier(student.out_features, classes, settings.temperature)
    pixels = to_float(images[:: max(1, len(images) // 5000)])
    student.mean.copy_(pixels.mean((0, 2, 3)).view(3, 1, 1))
    student.std.copy_(pixels.std((0, 2, 3)).view(3, 1, 1))

    model = nn.Sequential(student, classifier).to(device).to(memory_format=torch.channels_last)
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
    images, labels = images.to(device), labels.to(device)
    padding = max(4, images.shape[-1] // 10)  # 4 px at 32, 8 px at 84

    total_images, done = settings.epochs * len(images), len(losses) * len(images)
    with progress("training the student", total=total_images, unit="img", done=done) as advance:
        for epoch in range(len(losses), settings.epochs):
            model.train()
            generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
            total = torch.zeros((), device=device)
            for batch in _batches(len(images), settings.batch_size, generator):
                batch = batch.to(device)
                views = to_float(random_crop(images[batch], padding, generator))
                views = colour_jitter(views, settings.jitter, generator)
                views = views.contiguous(memory_format=torch.channels_last)
                with autocast(dtype, device):
                    features = student(views)
                loss = F.cross_entropy(classifier(features.float()), labels[batch])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach() * len(batch)
                advance(len(batch))
            losses.append(float(total) / len(images))
            logger.info("epoch %d: loss %.4f", epoch + 1, losses[-1])
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


def _batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    yield from torch.randperm(n, generator=generator).split(size)


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
