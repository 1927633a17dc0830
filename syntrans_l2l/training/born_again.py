"""Stage 0 once more: a new student learns from the labels and from the first student."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.networks.student import Student
from syntrans_l2l.seeds import seeded
from syntrans_l2l.training.base import BaseTraining, CosineClassifier
from syntrans_l2l.training.batches import Batch, ImageTraining
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.loop import Curve, Watch, check_training_images, train_on_images


@dataclass(frozen=True, kw_only=True)
class SelfDistillation(ImageTraining):
    """How a second student of the same kind is trained after the first.

    Source: Furlanello et al., "Born-again neural networks", ICML 2018, for few shots Tian et
    al., "Rethinking few-shot image classification", ECCV 2020. What the first student says is
    read from its features of the clean images (`said`), once; this is our own short cut.

    Args:
        weight: of what the first student says; the labels have the rest of 1.
        temperature: by which both sides are softened (Hinton et al., 2015).

    Raises:
        ValueError: the weight is no part of 1, or the temperature is not positive.
    """

    weight: float = 0.5
    temperature: float = 4.0

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1 or self.temperature <= 0:
            raise ValueError(
                "SelfDistillation needs a weight above 0 and up to 1 and a temperature above 0, "
                f"got {self.weight} and {self.temperature}"
            )


def said(features: Tensor, labels: Tensor) -> Tensor:
    """The logits of a student's features: tau * cos(z, mean of the class).

    Tau is the one of 32 values from 1 to 2^7.75 with which they fit the labels of these images
    best. Our reconstruction: the classifier that the student was trained with is not kept.

    Shapes: features [n, D], labels [n] -> [n, B].
    """
    means = torch.zeros(int(labels.max()) + 1, features.shape[1], dtype=features.dtype)
    unit = F.normalize(features, dim=-1)
    cosine = unit @ F.normalize(means.index_add(0, labels, unit), dim=-1).T
    scales = 2 ** torch.arange(0, 8, 0.25)
    fits = [F.cross_entropy(scale * cosine, labels) for scale in scales]
    return cosine * scales[torch.stack(fits).argmin()]


def train_again(
    student: Student,
    taught: Tensor,
    images: Tensor,
    labels: Tensor,
    settings: SelfDistillation,
    *,
    job: Job,
    checkpoint_path: Path | None = None,
    watch: Watch | None = None,
) -> Curve:
    """Train `student` in place and return how it went, epoch by epoch.

    The loss is (1 - weight) CE(labels) + weight T^2 KL(first student || this one), both sides
    divided by T.

    Args:
        student: untrained, with the first one's mean and std of pixels; left on the job's device,
            in eval mode.
        taught: logits of the first student, [n, B].
        images: base images [n, 3, H, W] uint8.
        labels: [n] int64, 0 to B - 1.
        settings: the recipe.
        job: its seed is that of the classifier's start, the order and the augmentation.
        checkpoint_path: see `train_on_images`.
        watch: see `train_on_images`.

    Raises:
        ValueError: images, labels and logits do not fit each other.
    """
    check_training_images(images, len(labels), "labels")
    check_training_images(images, len(taught), "logits of the first student")
    with seeded(job.seed):
        head = CosineClassifier(student.out_features, taught.shape[1], BaseTraining.temperature)
    weight, soft = settings.weight, settings.temperature
    labels, targets = labels.to(job.device), (taught / soft).log_softmax(-1).to(job.device)

    def loss(features: Tensor, batch: Batch) -> Tensor:
        logits = head(features)
        own = F.cross_entropy(logits, labels[batch.places])
        log_odds = (logits / soft).log_softmax(-1)
        told = F.kl_div(log_odds, targets[batch.places], reduction="batchmean", log_target=True)
        return (1 - weight) * own + weight * soft**2 * told

    return train_on_images(
        student,
        head,
        loss,
        images,
        settings,
        stage="training the student again",
        job=job,
        checkpoint_path=checkpoint_path,
        watch=watch,
    )
