"""Stage 0: the student trained on base images; cached."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from syntrans_l2l.cache import tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import (
    Encoded,
    Workspace,
    architecture,
    check_picture,
    encode_with,
    require_images,
)
from syntrans_l2l.networks.student import Student
from syntrans_l2l.seeds import seeded
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.batches import ImageTraining
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.loop import Curve, Watch
from syntrans_l2l.training.probe import Probe

_CURVE = "curve."  # before the names of what lies beside a student's weights


class MakeStudent(Protocol):
    """Builds an untrained student."""

    def __call__(self) -> Student: ...


@dataclass(frozen=True, eq=False)
class BaseStudent:
    """The student after stage 0; weights that are pretrained are taken as they are.

    Args:
        make: makes the encoder; None where none is bound, which `check` refuses.
        training: stage 0.
    """

    make: MakeStudent | None
    training: BaseTraining
    sees_teacher_images = False
    semantic_dim = None

    @cached_property
    def name(self) -> str:
        return self.untrained(0).name if self.make else "student"

    def check(self, size: int | None) -> None:
        student = self.untrained(0)
        if not student.pretrained:
            check_training(self.training)
        check_picture(student, require_images(self.name, size))

    def network(self, work: Workspace) -> Student:
        return work.network(self, lambda: self._trained(work))

    def encode(self, work: Workspace) -> Encoded:
        student = self.network(work)
        recipe, precision = self.told(student, work), self.training.precision
        return encode_with(student, work, name=student.name, recipe=recipe, precision=precision)

    def recipe(self, student: Student, seed: int) -> dict[str, object]:
        """How the student is made, whatever the data."""
        made: dict[str, object] = {"name": student.name, **architecture(student)}
        if student.pretrained:
            return made
        code = code_digest(train_base)
        return {**made, "training": asdict(self.training), "seed": seed, "training_code": code}

    def told(self, student: Student, work: Workspace) -> dict[str, object]:
        """`recipe` for the records, which also name the data where these are not the table's."""
        made = self.recipe(student, work.job.seed)
        return made if work.stage_0 is None else {**made, "trained_on": work.stage_0.name}

    def untrained(self, seed: int) -> Student:
        """As the factory makes it.

        Raises:
            ValueError: there is no factory.
        """
        if self.make is None:
            raise ValueError("this needs a student: bind Experiment.student")
        with seeded(seed):
            return self.make()

    def _trained(self, work: Workspace) -> Student:
        student = self.untrained(work.job.seed)
        if student.pretrained:
            return student.eval()
        data = work.stage_0 or work.data
        train = data.train
        if not len(train.labels):
            raise ValueError(
                f"{data.name} has no base image to train {student.name} on: add train classes, or "
                "take a pretrained student"
            )
        # the factory's settings show in the weights' start and in the layers without weights
        key = {
            **self.recipe(seen_once(student), work.job.seed),
            **place(work, data, self.training),
            "start": tensor_digest(student.state_dict()),
        }

        def run(checkpoint_path: Path) -> Curve:
            return train_base(
                student,
                train.images,
                train.labels,
                self.training,
                job=work.job,
                checkpoint_path=checkpoint_path,
                watch=probe(data, work.job),
            )

        return with_cached_weights(student, work, key, run)


def check_training(training: ImageTraining) -> None:
    """Raise ValueError where nothing would be trained, or BatchNorm would see one image."""
    if training.epochs < 1 or training.batch_size < 2:
        raise ValueError(
            f"{type(training).__name__} needs epochs of 1 or more and a batch_size of 2 or more, "
            f"got {training.epochs} and {training.batch_size}"
        )


def with_cached_weights(
    student: Student,
    work: Workspace,
    key: Mapping[str, object],
    run: Callable[[Path], Curve],
) -> Student:
    """The student with weights and curve from the cache, or as `run` trains it in place."""

    def weights_and_curve(checkpoint_path: Path) -> dict[str, Tensor]:
        curve = run(checkpoint_path)
        return student.state_dict() | _with_prefix(asdict(curve))

    weights = cached_weights(work, key, weights_and_curve)
    student.curve = {name: weights.pop(_CURVE + name).tolist() for name in asdict(Curve())}
    student.load_state_dict(weights)
    return student.eval()


def seen_once(student: Student) -> Student:
    """The same with one view: training shows each image once, so both are trained alike."""
    once = copy(student)
    once.views = 1
    once.name = student.name.removesuffix(f", {student.views} views")
    return once


def _with_prefix(curve: Mapping[str, Sequence[float]]) -> dict[str, Tensor]:
    """How a training went, as tensors that lie beside its weights."""
    return {
        _CURVE + name: torch.tensor(values, dtype=torch.float64) for name, values in curve.items()
    }


def probe(data: FewShotData, job: Job) -> Watch | None:
    """On validation classes; None where they are too small for an episode.

    It sees one view of each image, because students of one and of two views share their weights
    and their curve.
    """
    split = data.validation
    counts = torch.bincount(split.labels, minlength=len(split.class_names))
    if len(counts) < 2 or int(counts.min()) < 2:
        return None
    look = Probe(split.images, split.labels, job)
    return lambda student: look(seen_once(student))


def place(work: Workspace, data: FewShotData, settings: ImageTraining) -> dict[str, object]:
    """On which data, and in which arithmetic."""
    return {"data": data.fingerprint, **work.computed_in(settings.precision)}


def cached_weights(
    work: Workspace, key: Mapping[str, object], run: Callable[[Path], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """The weights: from the cache, or trained, resuming where a run was killed."""
    cache, workers = work.cache, work.job.workers
    checkpoint_path = cache.path("students", key).with_suffix(".checkpoint.pt")

    def train() -> dict[str, Tensor]:
        return run(checkpoint_path)

    if workers.count == 1:
        weights = cache.get("students", key, train)
    elif (stored := cache.load("students", key)) is not None:
        weights = stored
    else:
        trained = train()
        with workers.first():  # the others take what rank 0 has written
            weights = cache.get("students", key, lambda: trained)
    checkpoint_path.unlink(missing_ok=True)
    return weights
