"""The student of a student: stage 0 twice, the second time with the first one's answers."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from syntrans_l2l.cache import tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.encoders.base import Encoded, Workspace, encode_with
from syntrans_l2l.encoders.students import (
    BaseStudent,
    check_training,
    place,
    probe,
    with_cached_weights,
)
from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.born_again import SelfDistillation, said, train_again
from syntrans_l2l.training.loop import Curve


@dataclass(frozen=True, eq=False)
class BornAgainStudent:
    """A second student of the same kind, taught by the labels and by the first.

    Args:
        first: the student after stage 0, which is trained first where it must be.
        training: of the second.
    """

    first: BaseStudent
    training: SelfDistillation
    sees_teacher_images = False
    semantic_dim = None

    @property
    def name(self) -> str:
        return f"{self.first.name}, born again"

    def check(self, size: int | None) -> None:
        self.first.check(size)
        if self.first.untrained(0).pretrained:
            raise ValueError(f"{self.first.name} is pretrained, and only stage 0 is done again")
        check_training(self.training)

    def network(self, work: Workspace) -> Student:
        return work.network(self, lambda: self._trained(work))

    def encode(self, work: Workspace) -> Encoded:
        student = self.network(work)
        recipe = {**self.first.told(student, work), **self._recipe()}
        precision = self.training.precision
        return encode_with(student, work, name=self.name, recipe=recipe, precision=precision)

    def _recipe(self) -> dict[str, object]:
        """How the second training is done, whatever the data."""
        return {"again": asdict(self.training), "again_code": code_digest(train_again)}

    def _trained(self, work: Workspace) -> Student:
        data = work.stage_0 or work.data
        train, there = data.train, replace(work, data=data, stage_0=None)
        first = self.first.network(there)  # trained by all processes together
        with work.job.workers.first():  # the others read what rank 0 has extracted
            features = self.first.encode(there).features["train"]
        taught = said(features, train.labels)
        student = self.first.untrained(work.job.seed)
        student.mean.copy_(first.mean)
        student.std.copy_(first.std)
        key = {
            **self.first.recipe(student, work.job.seed),
            **self._recipe(),
            **place(work, data, self.training),
            "start": tensor_digest(student.state_dict()),
            "first": tensor_digest({"features": features}),
        }

        def run(checkpoint_path: Path) -> Curve:
            return train_again(
                student,
                taught,
                train.images,
                train.labels,
                self.training,
                job=work.job,
                checkpoint_path=checkpoint_path,
                watch=probe(data, work.job),
            )

        return with_cached_weights(student, work, key, run)
