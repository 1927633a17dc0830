"""What methods stand on: encoders' features and class vectors, made on demand and cached."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from torch import Tensor

from syntrans_l2l.cache import digest, tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.datasets.features import FeatureData
from syntrans_l2l.encoders.students import Students
from syntrans_l2l.networks.student import Student
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.bank_file import MinedBank, Miner, kept_bank
from syntrans_l2l.semantics.text_encoder import TextEncoder
from syntrans_l2l.training.features import extract

Encoder = Literal["base", "distilled", "teacher"]


@dataclass(frozen=True)
class Encoded:
    """A frozen encoder's features of each split [n, D], the hash of its weights, its name, and
    how it is made, whatever the data.
    """

    features: Mapping[str, Tensor]
    hash: str
    name: str
    recipe: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Preparation:
    """Features and class vectors of one data set; each is computed when it is first asked for.

    Args:
        students: who sees the images.
        mined: the banks with phrases that were asked for, by the hash of their vectors.
    """

    students: Students
    mined: dict[str, MinedBank] = field(default_factory=dict)
    _banks: dict[str, SemanticBank] = field(default_factory=dict)

    def encoded(self, encoder: Encoder) -> Encoded:
        """The features of an encoder by name."""
        if encoder == "distilled":
            return self.distilled
        return self.base if encoder == "base" else self.teacher_features

    @cached_property
    def base(self) -> Encoded:
        """The student after stage 0, or the features that the data set brings."""
        data = self.students.data
        if isinstance(data, FeatureData):
            features = {split: getattr(data, split).images for split in SPLITS}
            return Encoded(features, data.fingerprint, data.encoder, {"features": data.encoder})
        return self._encoded(self.students.base, self.students.base_recipe)

    @cached_property
    def distilled(self) -> Encoded:
        """The student after stage 1."""
        student = self.students.distilled
        encoded = self._encoded(student, self.students.distilled_recipe)
        return replace(encoded, name=f"{student.name}, distilled")

    @cached_property
    def teacher_features(self) -> Encoded:
        """The teacher itself, in float32."""
        teacher = self.students.known_teacher
        splits = {split: self.students.teacher_images(split).float() for split in SPLITS}
        return Encoded(splits, teacher.digest, teacher.source, {"teacher": teacher.digest})

    def student(self, encoder: str) -> Student | None:
        """The network behind "base" or "distilled", in eval mode; none for the teacher."""
        if encoder == "teacher":
            return None
        return self.students.base if encoder == "base" else self.students.distilled

    def semantics(self, encoder: TextEncoder) -> SemanticBank:
        """Stage 2: one vector a class.

        Raises:
            ValueError: a class has no vector; the message lists the missing names.
        """
        names, cache = self.students.data.class_names, self.students.cache
        key = {**encoder.key(), "class_names": list(names), "code": code_digest(encoder)}
        place = digest(key)
        if place not in self._banks:
            if isinstance(encoder, Miner):
                file = cache.root / "banks" / f"{place}.json"
                with cache.turn(place):
                    bank = kept_bank(file, encoder, names, self.students.data.name)
                self.mined[bank.vectors.digest] = bank
                self._banks[place] = bank.vectors
            else:
                made = cache.get(
                    "semantics", key, lambda: {"vectors": encoder.encode_classes(names).vectors}
                )
                self._banks[place] = SemanticBank(names, made["vectors"], encoder.source)
        return self._banks[place]

    def _encoded(self, student: Student, recipe: Mapping[str, object]) -> Encoded:
        # the name too: with other pixels, the same weights give other features
        student_hash = digest(
            {"name": student.name, "weights": tensor_digest(student.state_dict())}
        )
        features = {}
        for split in SPLITS:
            key = {
                "student": student_hash,
                "data": self.students.data.fingerprint,
                "split": split,
                "code": code_digest(extract, student),
                **self.students.computed_in(),
            }

            def make(split: str = split) -> dict[str, Tensor]:
                extracted = extract(
                    student,
                    getattr(self.students.data, split).images,
                    device=self.students.device,
                    precision=self.students.base_training.precision,
                    progress=self.students.progress,
                    stage=f"extracting {split} features",
                )
                return {"features": extracted}

            features[split] = self.students.cache.get("features", key, make)["features"]
        return Encoded(features, student_hash, student.name, recipe)
