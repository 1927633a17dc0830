"""One line of a table: a method, the encoder under it and the text beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.experiment.preparation import Encoder
from syntrans_l2l.methods.base import Method
from syntrans_l2l.semantics.bank_file import BankFile
from syntrans_l2l.semantics.text_encoder import TextEncoder, VectorFile
from syntrans_l2l.semantics.written import Written
from syntrans_l2l.training.distillation import Distillation


@dataclass(frozen=True, kw_only=True)
class Row:
    """A method on an encoder with semantics; a plain method is a row on the base student.

    Args:
        method: what predicts.
        encoder: whose features it sees: the student after stage 0 ("base") or stage 1
            ("distilled"), or the teacher itself.
        text_encoder: makes its class vectors; None takes the experiment's.
        name: what the records call it; empty takes the method's own name.

    Raises:
        ValueError: unknown encoder.
    """

    method: Method
    encoder: Encoder = "base"
    text_encoder: TextEncoder | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.encoder not in get_args(Encoder):
            raise ValueError(
                f"Row.encoder must be one of {get_args(Encoder)}, got {self.encoder!r}"
            )

    @property
    def title(self) -> str:
        """The row's name in tables and records."""
        return self.name or self.method.name

    @property
    def uses_teacher_images(self) -> bool:
        """Whether images went through the teacher, in distillation or at test."""
        seen = self.method.uses_student and self.encoder != "base"
        return seen or self.method.uses_teacher_images

    def check(
        self,
        classes: Sequence[str],
        text_encoder: TextEncoder | None,
        teacher: ClipTeacher | None,
        distillation: Distillation | None,
    ) -> None:
        """Find what would fail later.

        Raises:
            FileNotFoundError: the teacher's weights are missing.
            ValueError: something that the row needs is missing or does not fit.
        """
        text_encoder = self.text_encoder or text_encoder
        if self.method.uses_text and text_encoder is None:
            raise ValueError(f"{self.title} uses text: bind Experiment.text_encoder")
        if self.encoder == "distilled" and distillation is None:
            raise ValueError(f"{self.title} is distilled: bind Experiment.distillation")
        if self.encoder != "base" and teacher is None:
            raise ValueError(f"{self.title} needs a teacher: bind Experiment.teacher")
        if self.encoder != "base" and teacher is not None:
            width = teacher.width  # reads the weights, so that missing ones are found now
        describer = getattr(text_encoder, "describer", None)
        if self.method.uses_text and isinstance(describer, Written):
            describer.describe(classes)  # names the classes that it lacks
        if self.method.uses_text and isinstance(text_encoder, VectorFile | BankFile):
            vectors = text_encoder.encode_classes(classes).vectors
            if self.encoder == "teacher" and vectors.shape[1] != width:
                raise ValueError(
                    f"{self.title}: the teacher's features have width {width}, the vectors of "
                    f"{text_encoder.source} {vectors.shape[1]}; encode the text with the teacher"
                )
