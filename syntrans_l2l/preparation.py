"""What methods stand on: encoders' features and class vectors, made on demand and cached."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from syntrans_l2l.cache import Cache, code_digest, digest, tensor_digest
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.datasets.features import FeatureData
from syntrans_l2l.networks.student import Student
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.text_encoder import TextEncoder, prompts
from syntrans_l2l.teacher import ClipTeacher
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.distillation import Distillation, distil, with_projection
from syntrans_l2l.training.features import extract
from syntrans_l2l.training.precision import resolve

_BASE_CODE = (
    "syntrans_l2l.networks.student",
    "syntrans_l2l.networks.resnet12",
    "syntrans_l2l.training.base",
    "syntrans_l2l.training.loop",
    "syntrans_l2l.training.augment",
    "syntrans_l2l.training.precision",
)
_DISTILLED_CODE = (*_BASE_CODE, "syntrans_l2l.training.distillation")


Encoder = Literal["base", "distilled", "teacher"]


class MakeStudent(Protocol):
    """Builds an untrained student."""

    def __call__(self) -> Student: ...


@dataclass(frozen=True)
class Encoded:
    """A frozen encoder's features of each split [n, D], the hash of its weights, its name."""

    features: Mapping[str, Tensor]
    hash: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Stages 0 to 2 for one data set; each runs when it is first asked for.

    Args:
        data: images and class names.
        make_student: makes the encoder; None where the data set holds features.
        base_training: stage 0.
        teacher: whom stage 1 distils.
        distillation: stage 1.
        cache: where finished stages lie.
        device: where to train.
        seed: of the student and its training.
        progress: draws bars.
    """

    data: FewShotData
    make_student: MakeStudent | None
    base_training: BaseTraining
    cache: Cache
    device: torch.device
    seed: int
    teacher: ClipTeacher | None = None
    distillation: Distillation | None = None
    progress: Progress = silent
    _banks: dict[str, SemanticBank] = field(default_factory=dict)

    def encoded(self, encoder: Encoder) -> Encoded:
        """The features of an encoder by name."""
        if encoder == "distilled":
            return self.distilled
        return self.base if encoder == "base" else self.teacher_features

    @cached_property
    def base(self) -> Encoded:
        """The student after stage 0, or the features that the data set brings."""
        if isinstance(self.data, FeatureData):
            features = {split: getattr(self.data, split).images for split in SPLITS}
            return Encoded(features, self.data.fingerprint, self.data.encoder)
        return self._encoded(self._base_student)

    @cached_property
    def distilled(self) -> Encoded:
        """The student after stage 1."""
        student = self._distilled_student
        encoded = self._encoded(student)
        return Encoded(encoded.features, encoded.hash, f"{student.name}, distilled")

    @cached_property
    def teacher_features(self) -> Encoded:
        """The teacher itself, in float32."""
        teacher = self._teacher
        splits = {split: self._teacher_images(split).float() for split in SPLITS}
        return Encoded(splits, teacher.digest, teacher.source)

    def student(self, encoder: str) -> Student | None:
        """The network behind "base" or "distilled", in eval mode; none for the teacher."""
        if encoder == "teacher":
            return None
        return self._base_student if encoder == "base" else self._distilled_student

    def semantics(self, encoder: TextEncoder) -> SemanticBank:
        """Stage 2: one vector a class.

        Raises:
            ValueError: a class has no vector; the message lists the missing names.
        """
        names = self.data.class_names
        key = {**encoder.key(), "class_names": list(names)}
        place = digest(key)
        if place not in self._banks:
            made = self.cache.get(
                "semantics", key, lambda: {"vectors": encoder.encode_classes(names).vectors}
            )
            self._banks[place] = SemanticBank(names, made["vectors"], encoder.source)
        return self._banks[place]

    @property
    def _teacher(self) -> ClipTeacher:
        if self.teacher is None:
            raise ValueError("a row needs a teacher: bind Experiment.teacher")
        return self.teacher

    def _student(self) -> Student:
        if self.make_student is None:
            raise ValueError("this needs a student: bind Experiment.student")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self.make_student()

    @cached_property
    def _base_student(self) -> Student:
        student = self._student()
        if student.pretrained:
            return student.eval()
        train = self.data.train
        key = {**self._key(student.name, self.base_training, _BASE_CODE)}

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
            )
            return student

        student.load_state_dict(self._trained(key, run))
        return student.eval()

    @cached_property
    def _distilled_student(self) -> Student:
        settings = self.distillation
        if settings is None:
            raise ValueError("a row needs a distilled student: bind Experiment.distillation")
        teacher, train = self._teacher, self.data.train
        student = self._student()
        student.load_state_dict(self._base_student.state_dict())
        key = {
            **self._key(student.name, settings, _DISTILLED_CODE),
            "base": tensor_digest(student.state_dict()),
            "teacher": teacher.digest,
        }

        def run(checkpoint_path: Path) -> nn.Module:
            vectors = None
            if settings.prompts:
                vectors = teacher.text_features(prompts(train.class_names))
            return distil(
                student,
                train.images,
                self._teacher_images("train"),
                settings,
                seed=self.seed,
                device=self.device,
                labels=train.labels if settings.labels else None,
                text_vectors=vectors,
                checkpoint_path=checkpoint_path,
                progress=self.progress,
            )

        weights = self._trained(key, run)
        if settings.keep_projection:
            student = with_projection(student, nn.Linear(student.out_features, teacher.width))
        student.load_state_dict(weights)
        return student.eval()

    def _key(
        self, student: str, settings: BaseTraining | Distillation, code: tuple[str, ...]
    ) -> dict[str, object]:
        return {
            "student": student,
            "data": self.data.fingerprint,
            "training": asdict(settings),
            "seed": self.seed,
            "code": code_digest(*code),
            **self._computed_in(),
        }

    def _trained(
        self, key: Mapping[str, object], run: Callable[[Path], nn.Module]
    ) -> dict[str, Tensor]:
        """The weights: from the cache, or trained, resuming where a run was killed."""
        weights = self.cache.load("students", key)
        if weights is None:
            checkpoint_path = self.cache.path("students", key).with_suffix(".checkpoint.pt")
            weights = dict(run(checkpoint_path).state_dict())
            self.cache.save("students", key, weights)
            checkpoint_path.unlink(missing_ok=True)
        return weights

    def _encoded(self, student: Student) -> Encoded:
        student_hash = tensor_digest(student.state_dict())[:20]
        features = {}
        for split in SPLITS:
            key = {
                "student": student_hash,
                "data": self.data.fingerprint,
                "split": split,
                **self._computed_in(),
            }

            def make(split: str = split) -> dict[str, Tensor]:
                extracted = extract(
                    student,
                    getattr(self.data, split).images,
                    device=self.device,
                    precision=self.base_training.precision,
                    progress=self.progress,
                    stage=f"extracting {split} features",
                )
                return {"features": extracted}

            features[split] = self.cache.get("features", key, make)["features"]
        return Encoded(features, student_hash, student.name)

    def _teacher_images(self, split: str) -> Tensor:
        """The teacher's image features of a split, [n, M] float16: computed once."""
        teacher = self._teacher
        key = {
            "teacher": teacher.digest,
            "data": self.data.fingerprint,
            "split": split,
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

    def _computed_in(self) -> dict[str, str]:
        dtype = resolve(self.base_training.precision, self.device)
        return {"computed_in": f"{dtype} on {self.device.type}"}
