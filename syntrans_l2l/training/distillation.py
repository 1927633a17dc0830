"""Stage 1: distillation of the CLIP teacher into the student, without labels.

The paper's abstract speaks of an unsupervised proxy task, and its summary of knowledge that comes
"without fine-tuning the vision backbone"; that a frozen encoder with a projection is meant is our
reconstruction.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.networks.student import Student
from syntrans_l2l.seeds import seeded
from syntrans_l2l.training.base import CosineClassifier
from syntrans_l2l.training.batches import Batch, ImageTraining
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.loop import check_training_images, train_on_images
from syntrans_l2l.training.projection import ProjectionTraining
from syntrans_l2l.training.proxy_task import Lesson, Losses, ProxyTask


@dataclass(frozen=True, kw_only=True)
class Distillation(Losses, ImageTraining):
    """How stage 1 is run, by the losses of `Losses`.

    Args:
        encoder: "frozen" leaves the encoder as it is and learns P on its features, in seconds,
            as `projection` says; "trained" trains the encoder with P on images, as
            `ImageTraining` says.
        projection: how P is learned on a frozen encoder.
        labels: beta, of the cosine classifier's cross-entropy, so that a trained student does
            not forget; 0 is the strictly unsupervised form, and labels are never read.
        keep_projection: whether a trained student ends in P afterwards: A features in place of D.

    Raises:
        ValueError: no loss has a weight, or one is for a trained encoder only.
    """

    encoder: Literal["frozen", "trained"] = "frozen"
    projection: ProjectionTraining = field(default_factory=ProjectionTraining)
    epochs: int = 30
    labels: float = 0.0
    keep_projection: bool = False

    def __post_init__(self) -> None:
        if self.encoder not in ("frozen", "trained"):
            raise ValueError(
                f"Distillation.encoder must be 'frozen' or 'trained', got {self.encoder!r}"
            )
        weights = (*self.weights, self.labels)
        if min(weights) < 0 or max(weights) == 0:
            raise ValueError(f"Distillation needs a positive loss weight and no negative: {self}")
        if self.average:
            raise ValueError(
                "Distillation.average would leave P with another student than the one it was "
                "learned with: set it to 0"
            )
        if self.encoder == "frozen" and (self.labels or self.keep_projection):
            raise ValueError(
                "Distillation.labels and keep_projection are for a trained encoder: set "
                "Distillation.encoder = 'trained', or leave them"
            )


class _Head(nn.Module):
    """P, and the classifier of the `labels` switch.

    Shapes: features [n, D] -> [n, A], normalised.
    """

    def __init__(self, features: int, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width)
        self.classifier = CosineClassifier(features, classes, 10.0) if classes else None

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(self.linear(features), dim=-1)


def distil(
    student: Student,
    images: Tensor,
    lesson: Lesson,
    settings: Distillation,
    *,
    job: Job,
    checkpoint_path: Path | None = None,
) -> nn.Linear:
    """Train `student` in place towards the teacher; returns P, features [n, D] -> [n, A].

    Args:
        student: as stage 0 left it, or untrained.
        images: [n, 3, H, W] uint8.
        lesson: the teacher's features of these images, and what further losses read.
        settings: the recipe.
        job: its seed is that of the projection's start, the order and the augmentation.
        checkpoint_path: see `train_on_images`.

    Raises:
        ValueError: images, teacher features and text vectors do not fit each other, or a
            loss is switched on without what it reads.
    """
    check_training_images(images, len(lesson.features), "teacher features")
    labels, device = lesson.labels, job.device
    task = ProxyTask(lesson, settings, device)
    if settings.labels and labels is None:
        raise ValueError("Distillation.labels > 0 needs labels")
    classes = int(labels.max()) + 1 if settings.labels and labels is not None else 0
    with seeded(job.seed):
        head = _Head(student.out_features, lesson.features.shape[1], classes).to(device)
    marks = labels.to(device) if labels is not None else None

    def loss(features: Tensor, batch: Batch) -> Tensor:
        places = batch.places
        total = task.loss(head(features), places)
        if head.classifier is not None and marks is not None:
            logits = head.classifier(features)
            total = total + settings.labels * F.cross_entropy(logits, marks[places])
        return total

    train_on_images(
        student,
        head,
        loss,
        images,
        settings,
        stage="distilling the teacher",
        job=job,
        checkpoint_path=checkpoint_path,
    )
    return head.linear.eval()


def with_projection(student: Student, linear: nn.Linear) -> Student:
    """The student with P behind it: A features."""
    encoder = nn.Sequential(student.encoder, linear)
    name = f"{student.name}, projected"
    longer = Student(encoder, linear.out_features, name, views=student.views)
    longer.mean.copy_(student.mean)
    longer.std.copy_(student.std)
    return longer.eval()
