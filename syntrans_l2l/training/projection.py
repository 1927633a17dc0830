"""Stage 1 on a frozen encoder: a projection of its features into the teacher's space."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.seeds import seeded
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.proxy_task import Lesson, Losses, ProxyTask


@dataclass(frozen=True, kw_only=True)
class ProjectionTraining:
    """How P is learned on the features of a frozen encoder.

    Args:
        hidden: width of a hidden layer; None for a linear P.
        epochs: passes over the images, by AdamW along half a cosine; on 1,500 photographs as
            on 12,800 drawings, validation is best at some 20 to 40.
        batch_size: images a step.
        learning_rate: where the cosine starts.
        weight_decay: on everything.
    """

    hidden: int | None = None
    epochs: int = 30
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.hidden == 0:
            raise ValueError(
                "ProjectionTraining needs one epoch or more, two images a step or more, and a "
                f"hidden width or None: {self}"
            )


class Projection(nn.Module):
    """P: an encoder's features in the space of a teacher.

    Args:
        features: D.
        width: A.
        hidden: width of a hidden layer; None for a linear P.

    Shapes: features z [n, D], normalised or not -> [n, A], normalised.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int, width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.hidden = hidden
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(()))
        self.layers: nn.Module = nn.Linear(features, width)
        if hidden is not None:
            self.layers = nn.Sequential(
                nn.Linear(features, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, width)
            )

    def forward(self, features: Tensor) -> Tensor:
        centred = (F.normalize(features, dim=-1) - self.mean) / self.scale
        return F.normalize(self.layers(centred), dim=-1)


def fit_projection(
    features: Tensor, lesson: Lesson, losses: Losses, recipe: ProjectionTraining, *, job: Job
) -> Projection:
    """Learn P on the features of a frozen encoder, which labels never reach.

    Our reconstruction of a distillation that leaves the backbone as it is.

    Args:
        features: z of n base images, [n, D].
        lesson: the teacher's features of the same images, NaN rows where it has none; such
            images are left out.
        losses: what S and T are compared by.
        recipe: how P is learned.
        job: its seed is that of P's start and of the order.

    Raises:
        ValueError: features and lesson do not fit each other, no image has teacher features, or
            a loss is switched on without what it reads.
    """
    if features.ndim != 2 or len(features) != len(lesson.features):
        raise ValueError(
            f"{len(lesson.features)} teacher features need as many features, got "
            f"{list(features.shape)}"
        )
    seen = lesson.seen()
    device = job.device
    task = ProxyTask(lesson.rows(seen), losses, device)
    ours = F.normalize(features[seen].to(device).float(), dim=-1)
    with seeded(job.seed):
        projection = Projection(features.shape[1], lesson.features.shape[1], recipe.hidden)
    projection.mean.copy_(ours.mean(0))
    projection.scale.copy_((ours - ours.mean(0)).std())
    projection.to(device)
    optimizer = torch.optim.AdamW(
        projection.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    steps = recipe.epochs * math.ceil(len(ours) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(job.seed)
    with job.progress("projecting to the teacher", total=steps, unit="step") as advance:
        for _ in range(recipe.epochs):
            order = torch.randperm(len(ours), generator=generator).to(device)
            for places in order.split(recipe.batch_size):
                loss = task.loss(projection(ours[places]), places)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                advance(1)
    return projection.cpu().eval().requires_grad_(False)
