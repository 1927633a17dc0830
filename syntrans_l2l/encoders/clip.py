"""The CLIP teacher as the encoder of a row, and its image features for stage 1."""

from dataclasses import dataclass

from torch import Tensor

from syntrans_l2l.cache import tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.encoders.base import Encoded, Normalised, Workspace, require_images
from syntrans_l2l.encoders.brought import FeaturesOfTheData, TeacherFeatures
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.training.precision import resolve

Teacher = ClipTeacher | TeacherFeatures | FeaturesOfTheData


@dataclass(frozen=True, eq=False)
class ClipEncoder:
    """The teacher itself, whose images and texts share a space.

    Args:
        teacher: any CLIP, or features that it has made; None where none is bound, which `check`
            refuses.
    """

    teacher: Teacher | None
    sees_teacher_images = True

    @property
    def name(self) -> str:
        return self.teacher.source if self.teacher else "teacher"

    @property
    def semantic_dim(self) -> int | None:
        teacher = required_teacher(self.teacher)
        return teacher.width if isinstance(teacher, ClipTeacher) else None

    def check(self, size: int | None) -> None:
        check_teacher(self.teacher)
        if isinstance(self.teacher, ClipTeacher):
            require_images(self.name, size)

    def network(self, work: Workspace) -> None:
        return None

    def encode(self, work: Workspace) -> Encoded:
        """The teacher's features of every image.

        Raises:
            ValueError: features were brought, and lack some images.
        """
        teacher = required_teacher(self.teacher)
        splits = {split: teacher_images(teacher, work, split).float() for split in SPLITS}
        for split, features in splits.items():
            if lacking := int((~features.isfinite().all(1)).sum()):
                raise ValueError(
                    f"{teacher.source} lacks features for {lacking} of {len(features)} {split} "
                    "images: a row on the teacher needs all of them"
                )
        whose = teacher.digest if isinstance(teacher, ClipTeacher) else tensor_digest(splits)[:20]
        lesson = {"model": model(teacher, work.data), "images": "all, novel ones included"}
        recipe = {"teacher": whose if isinstance(teacher, ClipTeacher) else lesson["model"]}
        return Encoded(
            splits, whose, teacher.source, recipe, projection=Normalised(), lesson=lesson
        )


def required_teacher(teacher: Teacher | None) -> Teacher:
    """The teacher; raises ValueError where there is none."""
    if teacher is None:
        raise ValueError("this needs a teacher: bind Experiment.teacher")
    return teacher


def check_teacher(teacher: Teacher | None) -> None:
    """Find out whether the teacher's weights or features are there.

    Raises:
        FileNotFoundError: weights are missing.
        ValueError: there is no teacher, or its file is not of its form.
    """
    teacher = required_teacher(teacher)
    if isinstance(teacher, ClipTeacher):
        _ = teacher.width  # reads the weights
    else:
        teacher.check()


def model(teacher: Teacher, data: FewShotData) -> str:
    """The name of the teacher's model; empty where nobody has declared it."""
    return teacher.source if isinstance(teacher, ClipTeacher) else teacher.model(data)


def teacher_images(teacher: Teacher, work: Workspace, split: str) -> Tensor:
    """The teacher's image features of a split, [n, A], normalised: computed once.

    Those that people bring have rows of NaN for images without features.
    """
    if not isinstance(teacher, ClipTeacher):
        return teacher.features(work.data, split)
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
