"""The teacher's text of the classes, which its space shares with images."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.clip import Teacher, model
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.experiment.preparation import Preparation
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.text_encoder import OpenClipText, TextEncoder


@runtime_checkable
class _KnowsSome(Protocol):
    """A text encoder that has vectors of some classes only."""

    def known(self, class_names: Sequence[str]) -> list[str]: ...


@dataclass(frozen=True)
class TextOfTeacher:
    """Vectors of class names in the teacher's space.

    Args:
        encoder: makes them.
    """

    encoder: TextEncoder

    @staticmethod
    def of(encoder: TextEncoder | None, teacher: Teacher | None) -> "TextOfTeacher | None":
        """By the encoder that is bound, or else by the teacher's own text tower."""
        if encoder is None and isinstance(teacher, ClipTeacher):
            encoder = OpenClipText(teacher)
        return TextOfTeacher(encoder) if encoder is not None else None

    def of_base_classes(self, data: FewShotData) -> Tensor:
        """For stage 1, [B, A]; a row of NaN for a class without text."""
        class_names = data.train.class_names
        known = self._known(class_names)
        if not known:
            return torch.full((len(class_names), 1), torch.nan)
        vectors = self.encoder.encode_classes(known).vectors
        rows = torch.full((len(class_names), vectors.shape[1]), torch.nan)
        rows[[name in known for name in class_names]] = vectors
        return rows

    def bank(self, preparation: Preparation, teacher: Teacher | None) -> SemanticBank:
        """Of base classes as far as they have text, and of all validation and novel classes.

        Raises:
            ValueError: a validation or novel class has no text, or the text is of another model
                than the images.
        """
        data = preparation.work.data
        if teacher is not None:
            self._check_model(model(teacher, data), data)
        names = (
            *self._known(data.train.class_names),
            *data.validation.class_names,
            *data.test.class_names,
        )
        return preparation.semantics(self.encoder, names)

    def _known(self, class_names: Sequence[str]) -> list[str]:
        if isinstance(self.encoder, _KnowsSome):
            return self.encoder.known(class_names)
        return list(class_names)

    def _check_model(self, images: str, data: FewShotData) -> None:
        texts = str(getattr(self.encoder, "model", ""))
        if images and texts and _plain(images) != _plain(texts):
            raise ValueError(
                f"{data.name}: the teacher's image features are of {images!r}, the text vectors "
                f"{self.encoder.source} of {texts!r}: their spaces differ, whatever their widths; "
                "take both from one model, or give it the same name in both"
            )


def check_width(bank: SemanticBank, width: int, name: str) -> None:
    """Raise ValueError where text and projected images are not equally wide."""
    if bank.vectors.shape[1] != width:
        raise ValueError(
            f"{name}: the teacher's image features have width {width}, its text vectors "
            f"{bank.source} {bank.vectors.shape[1]}; encode the text with the same teacher"
        )


def _plain(model: str) -> str:
    return re.sub(r"[^a-z0-9]", "", model.casefold())
