"""Stage 1: distillation of the CLIP teacher into the student, without labels.

The paper's abstract speaks of an unsupervised proxy task, and its summary of knowledge that comes
"without fine-tuning the vision backbone"; that a frozen encoder with a projection is meant, and
the losses, are our reconstruction.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.base import CosineClassifier
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.loop import ImageTraining, check_training_images, train_on_images
from syntrans_l2l.training.proxy_losses import (
    assignment_loss,
    info_nce,
    relational_kl,
    similarity_kl,
    sinkhorn,
)


@dataclass(frozen=True, kw_only=True)
class ProjectionTraining:
    """How P is learned on the features of a frozen encoder.

    Args:
        hidden: width of a hidden layer; None for a linear P.
        steps: of AdamW, along half a cosine.
        batch_size: images a step.
        learning_rate: where the cosine starts.
        weight_decay: on everything.
    """

    hidden: int | None = None
    steps: int = 200
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 2 or self.hidden == 0:
            raise ValueError(
                "ProjectionTraining needs one step or more, two images a step or more, and a "
                f"hidden width or None: {self}"
            )


@dataclass(frozen=True, kw_only=True)
class Distillation(ImageTraining):
    """How stage 1 is run: weights of its losses, with S = n(P f(x)) and T the teacher's features.

    T is centred: `n(T_I(x) - m)` with m the mean over the base images, because images and texts
    of CLIP lie apart. Prototypes and prompts read the teacher's features as they are.

    Args:
        encoder: "frozen" leaves the encoder as it is and learns P on its features, in seconds;
            "trained" trains the encoder with P on images, and the settings of `ImageTraining`
            are for it.
        projection: how P is learned on a frozen encoder.
        mimicry: weight of `|| S - T ||^2` (CLIP-KD's feature distillation).
        relational: lambda_rel, of `KL(softmax(T T'/t) || softmax(S S'/t))` within a batch.
        contrast: of InfoNCE between S and T within a batch.
        prompts: of `KL(softmax(T V'/t) || softmax(S V'/t))` with V the teacher's text vectors
            of the base classes (PromptKD's form).
        assignment: of the cross-entropy between `softmax(S V'/0.1)` and the assignment of T to V
            by optimal transport (FewVS's proxy task, ACM MM 2024; that SynTrans has the same is a
            guess). Images of base classes without text are left out of it: the only use of
            labels but for `labels`.
        labels: beta, of the cosine classifier's cross-entropy, so that a trained student does
            not forget; 0 is the strictly unsupervised form.
        temperature: t.
        keep_projection: whether a trained student ends in P afterwards: A features in place of D.
    """

    encoder: Literal["frozen", "trained"] = "frozen"
    projection: ProjectionTraining = field(default_factory=ProjectionTraining)
    epochs: int = 30
    mimicry: float = 1.0
    relational: float = 0.0
    contrast: float = 1.0
    prompts: float = 0.0
    assignment: float = 0.0
    labels: float = 0.0
    temperature: float = 0.07
    keep_projection: bool = False

    def __post_init__(self) -> None:
        if self.encoder not in ("frozen", "trained"):
            raise ValueError(f"Distillation.encoder must be frozen or trained, got {self.encoder}")
        weights = (self.mimicry, self.relational, self.contrast, self.prompts, self.assignment)
        if min(*weights, self.labels) < 0 or max(*weights, self.labels) == 0:
            raise ValueError(f"Distillation needs a positive loss weight and no negative: {self}")
        if self.encoder == "frozen" and (self.labels or self.keep_projection):
            raise ValueError(
                "Distillation.labels and keep_projection are for a trained encoder: set "
                "Distillation.encoder = 'trained', or leave them"
            )

    @property
    def reads_text(self) -> bool:
        """Whether a loss needs the teacher's text vectors of base classes."""
        return self.prompts > 0 or self.assignment > 0


@dataclass(frozen=True)
class Lesson:
    """What is learned from.

    Args:
        features: the teacher's of n images, [n, A]; computed once, on the images as they are.
        labels: [n]; read where `Distillation.labels` is positive, and by `assignment` where a
            class has no text vector.
        text_vectors: V, [B, A], normalised; a row of NaN for a class without text. Read where
            `Distillation.reads_text`.
    """

    features: Tensor
    labels: Tensor | None = None
    text_vectors: Tensor | None = None

    def rows(self, kept: Tensor) -> "Lesson":
        """The images `kept`, [m]."""
        labels = None if self.labels is None else self.labels[kept]
        return replace(self, features=self.features[kept], labels=labels)


class ProxyTask:
    """The losses of a lesson, with all that does not change in training made beforehand.

    Args:
        lesson: of finite features.
        settings: the weights.
        device: where losses are computed.

    Raises:
        ValueError: a loss is switched on without what it reads, or features are not finite.
    """

    def __init__(self, lesson: Lesson, settings: Distillation, device: torch.device) -> None:
        if not lesson.features.isfinite().all():
            raise ValueError("teacher features hold NaN or infinity; leave such images out")
        self.settings = settings
        given = F.normalize(lesson.features.to(device).float(), dim=-1)
        self.mean = given.mean(0)  # m, [A]
        self.theirs = F.normalize(given - self.mean, dim=-1)  # T, [n, A]
        if not settings.reads_text:
            return
        vectors = check_text_vectors(lesson.text_vectors, given.shape[1]).to(device).float()
        known = vectors.isfinite().all(1)  # [B]
        if not known.any():
            raise ValueError("no base class has a text vector of the teacher, and Distillation's "
                             "prompts and assignment read them")  # fmt: skip
        self.vectors = F.normalize(vectors[known], dim=-1)
        self.prompted = given @ self.vectors.T  # [n, known]
        self.named = torch.ones(len(given), dtype=torch.bool, device=device)
        if settings.assignment and not known.all():
            if lesson.labels is None:
                raise ValueError("base classes without text need labels: their images are left out "
                                 "of Distillation.assignment")  # fmt: skip
            self.named = known[lesson.labels.to(device)]
        if settings.assignment and not self.named.any():
            raise ValueError("no image of a base class with text has teacher features")
        if settings.assignment:
            self.assigned = torch.zeros_like(self.prompted)
            self.assigned[self.named] = sinkhorn(self.prompted[self.named])

    def loss(self, ours: Tensor, places: Tensor) -> Tensor:
        """Of S, normalised, [n, A] and the images' places in the lesson [n] -> []."""
        settings, theirs = self.settings, self.theirs[places]
        total: Tensor = settings.mimicry * (ours - theirs).square().sum(-1).mean()
        if settings.relational:
            total = total + settings.relational * relational_kl(ours, theirs, settings.temperature)
        if settings.contrast:
            total = total + settings.contrast * info_nce(ours, theirs, settings.temperature)
        if settings.prompts:
            kl = similarity_kl(
                ours @ self.vectors.T, self.prompted[places], settings.temperature
            )
            total = total + settings.prompts * kl
        if settings.assignment and (named := self.named[places]).any():
            assigned = self.assigned[places][named]
            loss = assignment_loss(ours[named], self.vectors, assigned)
            total = total + settings.assignment * loss
        return total


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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        head = _Head(student.out_features, lesson.features.shape[1], classes).to(device)
    marks = labels.to(device) if labels is not None else None

    def loss(features: Tensor, places: Tensor) -> Tensor:
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
    longer = Student(encoder, linear.out_features, f"{student.name}, projected")
    longer.mean.copy_(student.mean)
    longer.std.copy_(student.std)
    return longer.eval()


def check_text_vectors(text_vectors: Tensor | None, width: int) -> Tensor:
    """The text vectors; ValueError where they are not as wide as the teacher's features."""
    if text_vectors is None or text_vectors.ndim != 2 or text_vectors.shape[1] != width:
        shape = "none" if text_vectors is None else list(text_vectors.shape)
        raise ValueError(
            f"text vectors must be [C, {width}] to meet the teacher's image features, got {shape}; "
            "encode the text with the same teacher"
        )
    return text_vectors
