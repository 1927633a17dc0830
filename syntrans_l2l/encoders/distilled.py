"""Stage 1: encoders that a teacher has taught, with the encoder frozen or trained; cached."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from syntrans_l2l.cache import digest, tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import (
    Encoded,
    Encoder,
    Normalised,
    Workspace,
    encode_with,
    require_images,
)
from syntrans_l2l.encoders.clip import (
    Teacher,
    check_teacher,
    model,
    required_teacher,
    teacher_images,
)
from syntrans_l2l.encoders.students import BaseStudent, cached_weights, check_training, place
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.distillation import Distillation, distil, with_projection
from syntrans_l2l.training.projection import Projection, fit_projection
from syntrans_l2l.training.proxy_task import Lesson

# data -> the teacher's vectors of base classes, [B, A]; rows of NaN for classes without text
TeacherText = Callable[[FewShotData], Tensor]


@dataclass(frozen=True, eq=False)
class Stage1:
    """Who teaches, what, and how.

    Args:
        teacher: whose image features are learned from; None where none is bound, which `check`
            refuses.
        distillation: the recipe; None likewise.
        text: the teacher's vectors of base classes, where a loss reads them.
    """

    teacher: Teacher | None
    distillation: Distillation | None
    text: TeacherText | None = None

    @property
    def settings(self) -> Distillation:
        if self.distillation is None:
            raise ValueError("this needs a distilled student: bind Experiment.distillation")
        return self.distillation

    def check(self) -> None:
        """Find what would fail later; raises as `Encoder.check` does."""
        settings = self.settings
        check_teacher(self.teacher)
        if settings.reads_text and self.text is None:
            raise ValueError(
                "Distillation.prompts and assignment read the teacher's text of base classes: "
                "bind Experiment.teacher_text"
            )

    def recipe(self) -> dict[str, object]:
        """How stage 1 is done, whatever the data."""
        teacher = required_teacher(self.teacher)
        known = teacher.digest if isinstance(teacher, ClipTeacher) else teacher.source
        return {
            "teacher": known,
            "distillation": asdict(self.settings),
            "distillation_code": code_digest(distil, fit_projection, teacher),
        }

    def lesson(self, work: Workspace) -> Lesson:
        """What base images and base classes have to teach; NaN rows where there is nothing."""
        settings, train = self.settings, work.data.train
        targets = teacher_images(required_teacher(self.teacher), work, "train")
        vectors = None
        if settings.reads_text and self.text is not None:
            vectors = self.text(work.data)
        labels = train.labels if settings.labels or settings.assignment else None
        return Lesson(targets, labels, vectors)

    def shown(self, work: Workspace, lesson: Lesson) -> dict[str, object]:
        """What the teacher saw of these data, for the records."""
        seen = int(lesson.features.isfinite().all(1).sum())
        return {
            "model": model(required_teacher(self.teacher), work.data),
            "images": f"{seen} of {len(lesson.features)} base images, no validation or novel image",
        }


@dataclass(frozen=True, eq=False)
class ProjectedEncoder:
    """An encoder as it is, beside its features their projection into the teacher's space.

    Args:
        base: any encoder; its features are the same, and shared in the cache.
        stage_1: with a frozen encoder.
    """

    base: Encoder
    stage_1: Stage1
    sees_teacher_images = True
    semantic_dim = None

    @property
    def name(self) -> str:
        return f"{self.base.name}, frozen, distilled"

    def check(self, size: int | None) -> None:
        self.stage_1.check()
        self.base.check(size)

    def network(self, work: Workspace) -> Student | None:
        return self.base.network(work)

    def encode(self, work: Workspace) -> Encoded:
        encoded, lesson = self.base.encode(work), self.stage_1.lesson(work)
        settings = self.stage_1.settings
        features = encoded.features["train"]
        projection = Projection(
            features.shape[1], lesson.features.shape[1], settings.projection.hidden
        )
        given = {name: each for name, each in vars(lesson).items() if each is not None}
        key = {
            "encoder": encoded.hash,
            "data": work.data.fingerprint,
            "lesson": tensor_digest(given),
            "seed": work.job.seed,
            "device": work.job.device.type,
            **self.stage_1.recipe(),
        }

        def make() -> dict[str, Tensor]:
            fitted = fit_projection(features, lesson, settings, settings.projection, job=work.job)
            return dict(fitted.state_dict())

        weights = work.cache.get("projections", key, make)
        projection.load_state_dict(weights)
        return replace(
            encoded,
            hash=digest({"encoder": encoded.hash, "projection": tensor_digest(weights)}),
            name=f"{encoded.name}, frozen, distilled",
            recipe={**encoded.recipe, **self.stage_1.recipe()},
            projection=projection.eval().requires_grad_(False),
            lesson=self.stage_1.shown(work, lesson),
        )


@dataclass(frozen=True, eq=False)
class DistilledStudent:
    """The student that was trained towards the teacher.

    Args:
        base: the student after stage 0.
        stage_1: with a trained encoder.
    """

    base: BaseStudent
    stage_1: Stage1
    sees_teacher_images = True
    semantic_dim = None

    @property
    def name(self) -> str:
        projected = ", projected" if self.stage_1.settings.keep_projection else ""
        return f"{self.base.name}{projected}, distilled"

    def check(self, size: int | None) -> None:
        require_images(self.name, size)
        self.stage_1.check()
        self.base.check(size)
        check_training(self.stage_1.settings)

    def network(self, work: Workspace) -> Student:
        return self._taught(work)[0]

    def encode(self, work: Workspace) -> Encoded:
        (student, linear), precision = self._taught(work), self.base.training.precision
        recipe = {**self.base.told(student, work), **self.stage_1.recipe()}
        encoded = encode_with(student, work, name=self.name, recipe=recipe, precision=precision)
        ends_in_it = self.stage_1.settings.keep_projection
        steps: list[nn.Module] = [Normalised()] if ends_in_it else [linear, Normalised()]
        return replace(
            encoded,
            projection=nn.Sequential(*steps).eval().requires_grad_(False),
            lesson=self.stage_1.shown(work, self.stage_1.lesson(work)),
        )

    def _taught(self, work: Workspace) -> tuple[Student, nn.Linear]:
        """The student and P."""
        return work.network(self, lambda: self._cached(work))

    def _cached(self, work: Workspace) -> tuple[Student, nn.Linear]:
        """Both from the cache where they are, else trained."""
        settings, train = self.stage_1.settings, work.data.train
        student = self.base.untrained(work.job.seed)
        student.load_state_dict(self.base.network(work).state_dict())
        with work.job.workers.first():
            lesson = self.stage_1.lesson(work)
        seen = torch.where(lesson.seen())[0]
        given = {name: each for name, each in vars(lesson).items() if each is not None}
        key = {
            **self.base.recipe(student, work.job.seed),
            **self.stage_1.recipe(),
            **place(work, work.data, settings),
            "base": tensor_digest(student.state_dict()),
            "lesson": tensor_digest(given),
        }

        def run(checkpoint_path: Path) -> dict[str, Tensor]:
            every = len(seen) == len(train.labels)
            projection = distil(
                student,
                train.images if every else train.images[seen],
                lesson.rows(seen),
                settings,
                job=work.job,
                checkpoint_path=checkpoint_path,
            )
            both = nn.ModuleDict({"student": student, "projection": projection})
            return dict(both.state_dict())

        linear = nn.Linear(student.out_features, lesson.features.shape[1])
        both = nn.ModuleDict({"student": student.cpu(), "projection": linear})
        both.load_state_dict(cached_weights(work, key, run))
        if settings.keep_projection:
            student = with_projection(student, linear)
        return student.eval(), linear
