"""Stage 0: base training of the student with a cosine classifier."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.networks.student import Student
from syntrans_l2l.seeds import seeded
from syntrans_l2l.training.augment import to_float
from syntrans_l2l.training.batches import Batch, ImageTraining
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.loop import Curve, Watch, check_training_images, train_on_images


@dataclass(frozen=True, kw_only=True)
class BaseTraining(ImageTraining):
    """How stage 0 is run.

    Source: the cosine classifier is Gidaris & Komodakis (CVPR 2018) and Chen et al.
    (ICLR 2019); its place as SynTrans' starting point is our reconstruction.

    Args:
        temperature: the start of the learned tau.
        smoothing: of the labels (Szegedy et al., CVPR 2016).
        mixup: parameter of the Beta distribution by which two images and their labels are mixed
            (Zhang et al., ICLR 2018); 0 mixes none.
        rotation: weight of a second task: by how many quarter turns an image was turned
            (Gidaris et al., ICLR 2018); each image is then shown upright or turned. 0 turns none.
    """

    temperature: float = 10.0
    smoothing: float = 0.0
    mixup: float = 0.0
    rotation: float = 0.0


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


class Heads(nn.Module):
    """The classifier of base classes, and that of quarter turns where `turns` is asked for."""

    def __init__(self, features: int, classes: int, temperature: float, turns: bool) -> None:
        super().__init__()
        self.classes = CosineClassifier(features, classes, temperature)
        self.turns = CosineClassifier(features, 4, temperature) if turns else None


def train_base(
    student: Student,
    images: Tensor,
    labels: Tensor,
    settings: BaseTraining,
    *,
    job: Job,
    checkpoint_path: Path | None = None,
    watch: Watch | None = None,
) -> Curve:
    """Train `student` in place and return how it went, epoch by epoch.

    Args:
        student: on any device; left on the job's, in eval mode.
        images: base images [n, 3, H, W] uint8.
        labels: [n] int64, 0 to B - 1.
        settings: the recipe.
        job: its seed is that of the classifier's start, the order and the augmentation.
        checkpoint_path: see `train_on_images`.
        watch: see `train_on_images`.

    Raises:
        ValueError: images and labels do not fit each other, or are to be turned and not square.
    """
    check_training_images(images, len(labels), "labels")
    if settings.rotation and images.shape[-1] != images.shape[-2]:
        raise ValueError(
            f"BaseTraining.rotation needs square pictures, got {list(images.shape[-2:])}: set it "
            "to 0"
        )
    with seeded(job.seed):
        classes = int(labels.max()) + 1
        heads = Heads(
            student.out_features, classes, settings.temperature, turns=settings.rotation > 0
        )
    pixels = to_float(images[:: max(1, len(images) // 5000)])
    student.mean.copy_(pixels.mean((0, 2, 3)).view(3, 1, 1))
    student.std.copy_(pixels.std((0, 2, 3)).view(3, 1, 1))
    labels = labels.to(job.device)

    def named(logits: Tensor, places: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels[places], label_smoothing=settings.smoothing)

    def loss(features: Tensor, batch: Batch) -> Tensor:
        logits = heads.classes(features)
        total = named(logits, batch.places)
        if settings.mixup:
            total = torch.lerp(named(logits, batch.partners), total, batch.own_part)
        if heads.turns is not None:
            total = total + settings.rotation * F.cross_entropy(heads.turns(features), batch.turns)
        return total

    return train_on_images(
        student,
        heads,
        loss,
        images,
        settings,
        stage="training the student",
        job=job,
        checkpoint_path=checkpoint_path,
        watch=watch,
        mixup=settings.mixup,
        turning=settings.rotation > 0,
    )
