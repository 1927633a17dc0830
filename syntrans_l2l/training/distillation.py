"""Stage 1: distillation of the CLIP teacher into the student, without labels.

The paper's abstract speaks of an unsupervised proxy task; the losses are our reconstruction.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.base import CosineClassifier
from syntrans_l2l.training.batches import Batch, ImageTraining
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.loop import check_training_images, train_on_images


@dataclass(frozen=True, kw_only=True)
class Distillation(ImageTraining):
    """How stage 1 is run: weights of its losses, with S = n(P f(x)) and T the teacher's features.

    Args:
        mimicry: of `|| S - T ||^2` (CLIP-KD's feature distillation).
        relational: lambda_rel, of `KL(softmax(T T'/t) || softmax(S S'/t))` within a batch.
        contrast: of InfoNCE between S and T within a batch.
        prompts: of `KL(softmax(T V'/t) || softmax(S V'/t))` with V the teacher's text vectors
            of the base classes (PromptKD's form).
        labels: beta, of the cosine classifier's cross-entropy, so that the student does not
            forget; 0 is the strictly unsupervised form, and labels are never read.
        temperature: t.
        keep_projection: whether the student ends in P afterwards: M features in place of D.
    """

    epochs: int = 30
    mimicry: float = 1.0
    relational: float = 0.0
    contrast: float = 0.0
    prompts: float = 0.0
    labels: float = 0.0
    temperature: float = 0.07
    keep_projection: bool = False

    def __post_init__(self) -> None:
        weights = (self.mimicry, self.relational, self.contrast, self.prompts, self.labels)
        if min(weights) < 0 or max(weights) == 0:
            raise ValueError(f"Distillation needs a positive loss weight and no negative: {self}")


@dataclass(frozen=True)
class Lesson:
    """What the student learns from.

    Args:
        features: T, [n, M], normalised; computed once, on the images as they are.
        labels: [n], read only where `Distillation.labels` is positive.
        text_vectors: V, [B, M], normalised; read only where `Distillation.prompts` is positive.
    """

    features: Tensor
    labels: Tensor | None = None
    text_vectors: Tensor | None = None


class Projection(nn.Module):
    """P, and the classifier of the `labels` switch.

    Shapes: features [n, D] -> [n, M], normalised.
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
) -> Student:
    """Train `student` in place towards the teacher; returns it, or it with P behind it.

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
    labels, text_vectors, device = lesson.labels, lesson.text_vectors, job.device
    width = lesson.features.shape[1]
    if settings.prompts:
        check_text_vectors(text_vectors, width)
    if settings.labels and labels is None:
        raise ValueError("Distillation.labels > 0 needs labels")
    classes = int(labels.max()) + 1 if settings.labels and labels is not None else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        projection = Projection(student.out_features, width, classes).to(device)
    targets = lesson.features.to(device).float()
    vectors = text_vectors.to(device).float() if text_vectors is not None else None
    marks = labels.to(device) if labels is not None else None

    def loss(features: Tensor, batch: Batch) -> Tensor:
        places = batch.places
        ours, theirs = projection(features), targets[places]
        total: Tensor = settings.mimicry * (ours - theirs).square().sum(-1).mean()
        if settings.relational:
            total = total + settings.relational * relational_kl(ours, theirs, settings.temperature)
        if settings.contrast:
            total = total + settings.contrast * info_nce(ours, theirs, settings.temperature)
        if settings.prompts and vectors is not None:
            kl = similarity_kl(ours @ vectors.T, theirs @ vectors.T, settings.temperature)
            total = total + settings.prompts * kl
        if projection.classifier is not None and marks is not None:
            logits = projection.classifier(features)
            total = total + settings.labels * F.cross_entropy(logits, marks[places])
        return total

    train_on_images(
        student,
        projection,
        loss,
        images,
        settings,
        stage="distilling the teacher",
        job=job,
        checkpoint_path=checkpoint_path,
    )
    return with_projection(student, projection.linear) if settings.keep_projection else student


def with_projection(student: Student, linear: nn.Linear) -> Student:
    """The student with P behind it: M features."""
    encoder = nn.Sequential(student.encoder, linear)
    name = f"{student.name}, projected"
    longer = Student(encoder, linear.out_features, name, views=student.views)
    longer.mean.copy_(student.mean)
    longer.std.copy_(student.std)
    return longer.eval()


def check_text_vectors(text_vectors: Tensor | None, width: int) -> None:
    """Raise ValueError where the text vectors are not as wide as the teacher's features."""
    if text_vectors is None or text_vectors.ndim != 2 or text_vectors.shape[1] != width:
        shape = "none" if text_vectors is None else list(text_vectors.shape)
        raise ValueError(
            f"text vectors must be [C, {width}] to meet the teacher's image features, got {shape}; "
            "encode the text with the same teacher"
        )


def similarity_kl(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """`KL(softmax(theirs / t) || softmax(ours / t))`, mean over rows [n, C] -> []."""
    log_ours = F.log_softmax(ours / temperature, dim=-1)
    log_theirs = F.log_softmax(theirs / temperature, dim=-1)
    return F.kl_div(log_ours, log_theirs, log_target=True, reduction="batchmean")


def relational_kl(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """`similarity_kl` of the batch with itself, without each image's likeness to itself."""
    off = ~torch.eye(len(ours), dtype=torch.bool, device=ours.device)
    ours, theirs = ((x @ x.T)[off].view(len(x), len(x) - 1) for x in (ours, theirs))
    return similarity_kl(ours, theirs, temperature)


def info_nce(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """Each image picks its own teacher feature among those of its batch."""
    return F.cross_entropy(
        ours @ theirs.T / temperature, torch.arange(len(ours), device=ours.device)
    )
