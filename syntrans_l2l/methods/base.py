"""The protocol behind every row of the leaderboard."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.bank import SemanticBank

Predict = Callable[[Episodes], Tensor]
Diagnose = Callable[[Episodes], dict[str, Tensor]]


@dataclass(frozen=True)
class Arena:
    """What methods work with: the same data, features and semantics for all of them.

    Args:
        data: images and class names.
        features: the frozen student's output z for each split, [n, D].
        student: hash of the student's weights, for cache keys.
        student_name: what the records call it.
        semantics: class vectors, where there are any.
        cache: where finished stages are kept.
        device: where to train and predict.
        seed: of everything random in a method.
        progress: draws bars.
        recipes: how "student" and "text" are made, whatever the data, for records.
    """

    data: FewShotData
    features: Mapping[str, Tensor]
    student: str
    student_name: str
    semantics: SemanticBank | None
    cache: Cache
    device: torch.device
    seed: int
    progress: Progress = silent
    recipes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def unit_features(self) -> dict[str, Tensor]:
        """n(z) of each split, [n, D], on the device."""
        return {
            split: F.normalize(features.to(self.device), dim=-1)
            for split, features in self.features.items()
        }

    def key(self, uses_text: bool) -> dict[str, object]:
        """What determines a head on these features besides its own settings, for cache keys."""
        return {
            "data": self.data.fingerprint,
            "student": self.student,
            "semantics": self.semantics.digest if self.semantics and uses_text else "",
            "seed": self.seed,
            "device": self.device.type,
        }


def nothing(episodes: Episodes) -> dict[str, Tensor]:
    """No tensors but those that every method has."""
    return {}


@dataclass(frozen=True)
class Predictor:
    """A method made ready for test episodes of one size.

    Args:
        predict: test episodes -> logits [E, N * Q, N].
        selected: what was chosen, on which split and from which grid.
        budget: what was spent on training beyond the student, in words.
        diagnose: test episodes -> further tensors for figures, by name.
    """

    predict: Predict
    selected: dict[str, object] = field(default_factory=dict)
    budget: str = "none"
    diagnose: Diagnose = nothing


class Method(Protocol):
    """One leaderboard row.

    `name` goes into the records; the flags say what the row has seen beyond base images.
    `episodes` limits the test episodes of a slow method to the first so many. `selects`
    says whether `prepare` uses validation episodes at all, `uses_base_classes` whether it
    trains on base classes.
    """

    name: str
    uses_text: bool
    uses_teacher_images: bool
    is_transductive: bool
    uses_student: bool
    selects: bool
    uses_base_classes: bool
    episodes: int | None

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Train on base classes and select on validation episodes of the test's size."""
        ...

    def settings(self) -> dict[str, object]:
        """All settings that change the result, for cache keys and records."""
        ...


@runtime_checkable
class ChecksSize(Protocol):
    """A method that can say, before any training, whether it fits the base classes."""

    def check(self, base: Sequence[int], *, ways: int, shots: int) -> None:
        """Raise ValueError where it does not; `base` holds the images of each base class."""
        ...
