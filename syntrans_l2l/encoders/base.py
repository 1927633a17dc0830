"""What turns images into features: one protocol for students, teachers and given features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.cache import Cache, digest, tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.features import extract
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.precision import Precision, resolve

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True, eq=False)
class Workspace:
    """Where encoders work.

    Args:
        data: images and class names.
        cache: where finished stages lie.
        job: seed, device, bars and processes.
        stage_0: the data whose base classes students are trained on; None for `data`.
    """

    data: FewShotData
    cache: Cache
    job: Job
    stage_0: FewShotData | None = None
    # by id, which is one encoder's own for as long as the encoder is kept beside it
    _made: dict[int, tuple["Encoder", object]] = field(default_factory=dict, repr=False)

    def network(self, encoder: "Encoder", make: Callable[[], Made]) -> Made:
        """The network of an encoder, or what else it trains, made when it is first asked for."""
        if id(encoder) not in self._made:
            self._made[id(encoder)] = encoder, make()
        return cast(Made, self._made[id(encoder)][1])

    def computed_in(self, precision: Precision) -> dict[str, str]:
        """What may change bits besides code and settings, for cache keys."""
        job = self.job
        several = f", {job.workers.count} workers" if job.workers.count > 1 else ""
        dtype = resolve(precision, job.device)
        return {"computed_in": f"{dtype} on {job.device.type}{several}"}


@dataclass(frozen=True)
class Encoded:
    """A frozen encoder's features of each split [n, D], the hash of its content, its name.

    Args:
        features: of each split, [n, D].
        hash: of all that determines them.
        name: for people.
        recipe: how it is made, whatever the data.
        curve: how its training went (`Student`).
        projection: features as they are given -> [n, A], normalised, in a space in which a
            teacher's text has vectors; None where there is none.
        lesson: what a teacher was shown of these data, for the records.
    """

    features: Mapping[str, Tensor]
    hash: str
    name: str
    recipe: Mapping[str, object] = field(default_factory=dict)
    curve: Mapping[str, Sequence[float]] = field(default_factory=dict)
    projection: nn.Module | None = None
    lesson: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def aligned(self) -> Mapping[str, Tensor] | None:
        """The features of each split in the teacher's space, [n, A]; None where there is none."""
        if self.projection is None:
            return None
        with torch.no_grad():
            return {split: self.projection(each) for split, each in self.features.items()}


class Normalised(nn.Module):
    """Features [n, A] -> the same of unit length: they lie in the teacher's space already."""

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(features, dim=-1)


class Encoder(Protocol):
    """Gives the features of a data set; several may stand in one table.

    `name` is for people. `sees_teacher_images` says whether images went through a teacher, in
    training or at test. `semantic_dim` is the width of the text space that the features lie
    in; None where they lie in none.
    """

    @property
    def name(self) -> str: ...

    @property
    def sees_teacher_images(self) -> bool: ...

    @property
    def semantic_dim(self) -> int | None: ...

    def check(self, size: int | None) -> None:
        """Find what would fail later, before any long work.

        Args:
            size: pixels of a picture's side; None where the data set holds features.

        Raises:
            FileNotFoundError: weights are missing.
            ValueError: pictures or settings do not fit.
        """
        ...

    def network(self, work: Workspace) -> Student | None:
        """The network in eval mode, trained first where it must be; None where there is none."""
        ...

    def encode(self, work: Workspace) -> Encoded:
        """The features of every split, from the cache where they are."""
        ...


def require_images(name: str, size: int | None) -> int:
    """The pictures' size; ValueError where the data set holds features only."""
    if size is None:
        raise ValueError(f"{name} needs images, and features have none: drop the row")
    return size


@torch.no_grad()
def check_picture(student: Student, size: int) -> int:
    """Give one picture of `size` pixels a side to the student, and return D.

    Raises:
        ValueError: the student fails on it; the message says what to set.
    """
    try:
        features: Tensor = student.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError, ValueError, IndexError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{student.name} does not take pictures of {size} px: {student.advice} ({reason})"
        ) from error
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(
            f"{student.name} gives {list(features.shape)} for a picture of {size} px, and "
            f"features must be [n, D]: {student.advice}"
        )
    return features.shape[1]


def architecture(student: Student) -> dict[str, str]:
    """What determines features besides weights: layers with their settings, and their code."""
    return {"layers": repr(student), "code": code_digest(student)}


def encode_with(
    student: Student,
    work: Workspace,
    *,
    name: str,
    recipe: Mapping[str, object],
    precision: Precision,
) -> Encoded:
    """The features of every split by a frozen student, each from the cache where it is.

    Args:
        student: in eval mode.
        work: whose data are encoded.
        name: for the records.
        recipe: how the student is made, for the records.
        precision: of the forward passes.
    """
    # the name too: with other pixels, the same weights give other features
    weights = tensor_digest(student.state_dict())
    student_hash = digest({"name": student.name, "weights": weights, **architecture(student)})
    features = {}
    for split in SPLITS:
        key = {
            "student": student_hash,
            "data": work.data.fingerprint,
            "split": split,
            "code": code_digest(extract),
            **work.computed_in(precision),
        }

        def make(split: str = split) -> dict[str, Tensor]:
            extracted = extract(
                student,
                getattr(work.data, split).images,
                job=work.job,
                precision=precision,
                stage=f"extracting {split} features",
            )
            return {"features": extracted}

        features[split] = work.cache.get("features", key, make)["features"]
    return Encoded(features, student_hash, name, recipe, student.curve)
