"""Stages 0 and 1: the student, trained on base images and taught by CLIP; each cached."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from syntrans_l2l.cache import Cache, tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.networks.student import Student
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.text_encoder import prompts
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.distillation import Distillation, distil, with_projection
from syntrans_l2l.training.precision import resolve
from syntrans_l2l.training.workers import ALONE, Workers


class MakeStudent(Protocol):
    """Builds an untrained student."""

    def __call__(self) -> Student: ...


@dataclass(frozen=True, kw_only=True)
class Students:
    """The students of one data set; each is trained when it is first asked for.

    Args:
        data: images and class names.
        make: makes the encoder; None where the data set holds features.
        base_training: stage 0.
        cache: where finished stages lie.
        device: where to train.
        seed: of the student and its training.
        teacher: whom stage 1 distils.
        distillation: stage 1.
        progress: draws bars.
        workers: who train together; of several, only rank 0 draws bars and writes.
    """

    data: FewShotData
    make: MakeStudent | None
    base_training: BaseTraining
    cache: Cache
    device: torch.device
    seed: int
    teacher: ClipTeacher | None = None
    distillation: Distillation | None = None
    progress: Progress = silent
    workers: Workers = ALONE

    @property
    def known_teacher(self) -> ClipTeacher:
        """The teacher; raises ValueError where there is none."""
        if self.teacher is None:
            raise ValueError("a row needs a teacher: bind Experiment.teacher")
        return self.teacher

    def _untrained(self) -> Student:
        if self.make is None:
            raise ValueError("this needs a student: bind Experiment.student")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self.make()

    @cached_property
    def base(self) -> Student:
        """After stage 0, in eval mode."""
        student = self._untrained()
        if student.pretrained:
            return student.eval()
        train = self.data.train
        key = self._key(student, self.base_training, train_base)

        def run(checkpoint_path: Path) -> nn.Module:
            train_base(
                student,
                train.images,
                train.labels,
                self.base_training,
                seed=self.seed,
                device=self.device,
                checkpoint_path=checkpoint_path,
                progress=self.progress,
                workers=self.workers,
            )
            return student

        student.load_state_dict(self._trained(key, run))
        return student.eval()

    @cached_property
    def distilled(self) -> Student:
        """After stage 1, in eval mode."""
        settings = self.distillation
        if settings is None:
            raise ValueError("a row needs a distilled student: bind Experiment.distillation")
        teacher, train = self.known_teacher, self.data.train
        student = self._untrained()
        student.load_state_dict(self.base.state_dict())
        key = {
            **self._key(student, settings, distil, teacher),
            "base": tensor_digest(student.state_dict()),
            "teacher": teacher.digest,
        }

        def run(checkpoint_path: Path) -> nn.Module:
            vectors = None
            if settings.prompts:
                vectors = teacher.text_features(prompts(train.class_names))
            with self.workers.first():
                targets = self.teacher_images("train")
            return distil(
                student,
                train.images,
                targets,
                settings,
                seed=self.seed,
                device=self.device,
                labels=train.labels if settings.labels else None,
                text_vectors=vectors,
                checkpoint_path=checkpoint_path,
                progress=self.progress,
                workers=self.workers,
            )

        weights = self._trained(key, run)
        if settings.keep_projection:
            student = with_projection(student, nn.Linear(student.out_features, teacher.width))
        student.load_state_dict(weights)
        return student.eval()

    @property
    def base_recipe(self) -> dict[str, object]:
        """How the student of stage 0 is made, whatever the data."""
        student = self.base
        if student.pretrained:
            return {"name": student.name, "code": code_digest(self.make, student)}
        return self._recipe(student, self.base_training, train_base)

    @property
    def distilled_recipe(self) -> dict[str, object]:
        """How the student of stage 1 is made, whatever the data."""
        teacher, settings = self.known_teacher, self.distillation
        return {
            **self.base_recipe,
            "teacher": teacher.digest,
            "distillation": asdict(settings) if settings else {},
            "distillation code": code_digest(distil, teacher),
        }

    def _key(
        self, student: Student, settings: BaseTraining | Distillation, *code: object
    ) -> dict[str, object]:
        return {
            **self._recipe(student, settings, *code),
            "data": self.data.fingerprint,
            **self.computed_in(),
        }

    def _recipe(
        self, student: Student, settings: BaseTraining | Distillation, *code: object
    ) -> dict[str, object]:
        return {
            "name": student.name,
            "training": asdict(settings),
            "seed": self.seed,
            "code": code_digest(self.make, student, *code),
        }

    def _trained(
        self, key: Mapping[str, object], run: Callable[[Path], nn.Module]
    ) -> dict[str, Tensor]:
        """The weights: from the cache, or trained, resuming where a run was killed."""
        checkpoint_path = self.cache.path("students", key).with_suffix(".checkpoint.pt")

        def train() -> dict[str, Tensor]:
            return dict(run(checkpoint_path).state_dict())

        if self.workers.count == 1:
            weights = self.cache.get("students", key, train)
        elif (stored := self.cache.load("students", key)) is not None:
            weights = stored
        else:
            trained = train()
            with self.workers.first():  # the others take what rank 0 has written
                weights = self.cache.get("students", key, lambda: trained)
        checkpoint_path.unlink(missing_ok=True)
        return weights

    def teacher_images(self, split: str) -> Tensor:
        """The teacher's image features of a split, [n, M] float16: computed once."""
        teacher = self.known_teacher
        key = {
            "teacher": teacher.digest,
            "data": self.data.fingerprint,
            "split": split,
            "code": code_digest(teacher),
            "computed_in": f"{resolve('auto', self.device)} on {self.device.type}",
        }

        def make() -> dict[str, Tensor]:
            images = getattr(self.data, split).images
            stage = f"teacher's {split} features"
            features = teacher.image_features(
                images, device=self.device, progress=self.progress, stage=stage
            )
            return {"features": features}

        return self.cache.get("features", key, make)["features"]

    def computed_in(self) -> dict[str, str]:
        """What may change bits besides code and settings, for cache keys."""
        dtype = resolve(self.base_training.precision, self.device)
        several = f", {self.workers.count} workers" if self.workers.count > 1 else ""
        return {"computed_in": f"{dtype} on {self.device.type}{several}"}
