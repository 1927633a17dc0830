"""The CLIP teacher as the encoder of a row, and its image features for stage 1."""

from dataclasses import dataclass

from torch import Tensor

from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.encoders.base import Encoded, Workspace, require_images
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.training.precision import resolve


@dataclass(frozen=True, eq=False)
class ClipEncoder:
    """The teacher itself, whose images and texts share a space.

    Args:
        teacher: any CLIP; None where none is bound, which `check` refuses.
    """

    teacher: ClipTeacher | None
    sees_teacher_images = True

    @property
    def name(self) -> str:
        return self.teacher.source if self.teacher else "teacher"

    @property
    def semantic_dim(self) -> int:
        return required_teacher(self.teacher).width

    def check(self, size: int | None) -> None:
        require_images(self.name, size)
        _ = self.semantic_dim  # reads the weights, so that missing ones are found now

    def network(self, work: Workspace) -> None:
        return None

    def encode(self, work: Workspace) -> Encoded:
        teacher = required_teacher(self.teacher)
        splits = {split: teacher_images(teacher, work, split).float() for split in SPLITS}
        return Encoded(splits, teacher.digest, teacher.source, {"teacher": teacher.digest})


def required_teacher(teacher: ClipTeacher | None) -> ClipTeacher:
    """The teacher; raises ValueError where there is none."""
    if teacher is None:
        raise ValueError("this needs a teacher: bind Experiment.teacher")
    return teacher


def teacher_images(teacher: ClipTeacher, work: Workspace, split: str) -> Tensor:
    """The teacher's image features of a split, [n, M] float16: computed once."""
    job = work.job
    key = {
        "teacher": teacher.digest,
        "data": work.data.fingerprint,
        "split": split,
        "code": code_digest(teacher),
        "computed_in": f"{resolve('auto', job.device)} on {job.device.type}",
    }

    def make() -> dict[str, Tensor]:
        features = teacher.image_features(
            getattr(work.data, split).images,
            device=job.device,
            progress=job.progress,
            stage=f"teacher's {split} features",
        )
        return {"features": features}

    return work.cache.get("features", key, make)["features"]
