"""Stage 0: base training of the student with a cosine classifier."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.augment import to_float
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.loop import ImageTraining, check_training_images, train_on_images


@dataclass(frozen=True, kw_only=True)
class BaseTraining(ImageTraining):
    """How stage 0 is run.

    Source: the cosine classifier is Gidaris & Komodakis (CVPR 2018) and Chen et al.
    (ICLR 2019); its place as SynTrans' starting point is our reconstruction.

    Args:
        temperature: the start of the learned tau.
    """

    temperature: float = 10.0


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
    job: Job,
    checkpoint_path: Path | None = None,
) -> list[float]:
    """Train `student` in place and return the mean loss of each epoch.

    Args:
        student: on any device; left on the job's, in eval mode.
        images: base images [n, 3, H, W] uint8.
        labels: [n] int64, 0 to B - 1.
        settings: the recipe.
        job: its seed is that of the classifier's start, the order and the augmentation.
        checkpoint_path: see `train_on_images`.

    Raises:
        ValueError: images and labels do not fit each other.
    """
    check_training_images(images, len(labels), "labels")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        classes = int(labels.max()) + 1
        classifier = CosineClassifier(student.out_features, classes, settings.temperature)
    pixels = to_float(images[:: max(1, len(images) // 5000)])
    student.mean.copy_(pixels.mean((0, 2, 3)).view(3, 1, 1))
    student.std.copy_(pixels.std((0, 2, 3)).view(3, 1, 1))
    labels = labels.to(job.device)

    def loss(features: Tensor, places: Tensor) -> Tensor:
        return F.cross_entropy(classifier(features), labels[places])

    return train_on_images(
        student,
        classifier,
        loss,
        images,
        settings,
        stage="training the student",
        job=job,
        checkpoint_path=checkpoint_path,
    )
