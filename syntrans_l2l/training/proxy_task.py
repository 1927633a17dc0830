"""The proxy task of stage 1: what is learned from a teacher, and by which losses.

The paper's abstract speaks of an unsupervised proxy task; the losses are our reconstruction.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.training.proxy_losses import (
    assignment_loss,
    info_nce,
    relational_kl,
    similarity_kl,
    sinkhorn,
)


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Weights of the proxy task's losses, with S = n(P f(x)) and T the teacher's features.

    T is centred: `n(T_I(x) - m)` with m the mean over the base images, because images and texts
    of CLIP lie apart. Prompts and assignment read the teacher's features as they are.

    Args:
        mimicry: of `|| S - T ||^2` (CLIP-KD's feature distillation).
        relational: lambda_rel, of `KL(softmax(T T'/t) || softmax(S S'/t))` within a batch.
        contrast: of InfoNCE between S and T within a batch.
        prompts: of `KL(softmax(T V'/t) || softmax(S V'/t))` with V the teacher's text vectors
            of the base classes (PromptKD's form).
        assignment: of the cross-entropy between `softmax(S V'/0.1)` and the assignment of T to V
            by optimal transport (FewVS's proxy task, ACM MM 2024; that SynTrans has the same is a
            guess). Images of base classes without text are left out of it, and only that reads
            labels.
        temperature: t.
    """

    mimicry: float = 1.0
    relational: float = 0.0
    contrast: float = 1.0
    prompts: float = 0.0
    assignment: float = 0.0
    temperature: float = 0.07

    @property
    def weights(self) -> tuple[float, ...]:
        return (self.mimicry, self.relational, self.contrast, self.prompts, self.assignment)

    @property
    def reads_text(self) -> bool:
        """Whether a loss needs the teacher's text vectors of base classes."""
        return self.prompts > 0 or self.assignment > 0


@dataclass(frozen=True)
class Lesson:
    """What is learned from.

    Args:
        features: the teacher's of n images, [n, A]; computed once, on the images as they are.
        labels: [n]; read where the student is trained with them, and by `assignment` where a class
            has no text vector.
        text_vectors: V, [B, A], normalised; a row of NaN for a class without text. Read where
            `Losses.reads_text`.
    """

    features: Tensor
    labels: Tensor | None = None
    text_vectors: Tensor | None = None

    def seen(self) -> Tensor:
        """Which images have features, [n] bool.

        Raises:
            ValueError: fewer than two have any.
        """
        seen = self.features.isfinite().all(1)
        if int(seen.sum()) < 2:
            raise ValueError(
                f"{int(seen.sum())} of {len(seen)} base images have teacher features: stage 1 has "
                "nothing to learn from; bring features of base images"
            )
        return seen

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

    def __init__(self, lesson: Lesson, settings: Losses, device: torch.device) -> None:
        if not lesson.features.isfinite().all():
            raise ValueError("teacher features hold NaN or infinity; leave such images out")
        self.settings = settings
        given = F.normalize(lesson.features.detach().to(device).float(), dim=-1)
        self.mean = given.mean(0)  # m, [A]
        self.theirs = F.normalize(given - self.mean, dim=-1)  # T, [n, A]
        if not settings.reads_text:
            return
        given_text = lesson.text_vectors
        if given_text is not None and not given_text.isfinite().any():
            raise ValueError(
                "no base class has a text vector of the teacher, and Distillation's prompts and "
                "assignment read them: move classes with text to the base classes"
            )
        vectors = check_text_vectors(given_text, given.shape[1]).detach().to(device).float()
        known = vectors.isfinite().all(1)  # [B]
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
            kl = similarity_kl(ours @ self.vectors.T, self.prompted[places], settings.temperature)
            total = total + settings.prompts * kl
        if settings.assignment and (named := self.named[places]).any():
            assigned = self.assigned[places][named]
            loss = assignment_loss(ours[named], self.vectors, assigned)
            total = total + settings.assignment * loss
        return total


def check_text_vectors(text_vectors: Tensor | None, width: int) -> Tensor:
    """The text vectors; ValueError where they are not as wide as the teacher's features."""
    if text_vectors is None or text_vectors.ndim != 2 or text_vectors.shape[1] != width:
        shape = "none" if text_vectors is None else list(text_vectors.shape)
        raise ValueError(
            f"text vectors must be [C, {width}] to meet the teacher's image features, got {shape}; "
            "encode the text with the same teacher"
        )
    return text_vectors
