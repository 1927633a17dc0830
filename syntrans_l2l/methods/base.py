"""What every row of the leaderboard is, and what it works with."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData, check_episode_size
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.evaluate import Predict as Predict
from syntrans_l2l.methods.settings import plain
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.bank import SemanticBank

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
        recipes: how "student" and "text" are made, whatever the data, and what a "teacher" was
            shown of these data, for records.
        projection: features of a split -> `aligned`; None where there is none.
        aligned: features of each split in a space that they share with text, [n, A]: P z of a
            projection, or the features themselves where the encoder is a CLIP.
        aligned_text: class vectors in that space; base classes may lack them.
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
    projection: nn.Module | None = None
    aligned: Mapping[str, Tensor] | None = None
    aligned_text: SemanticBank | None = None

    def unit_features(self) -> dict[str, Tensor]:
        """n(z) of each split, [n, D], on the device."""
        return self._unit(self.features)

    def shared_features(self) -> dict[str, Tensor]:
        """Features that lie in a space with text, normalised: `aligned` where there are any."""
        return self._unit(self.features if self.aligned is None else self.aligned)

    def _unit(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            split: F.normalize(each.to(self.device), dim=-1) for split, each in features.items()
        }

    def key(self, uses_text: bool) -> dict[str, object]:
        """What determines a head on these features besides its own settings, for cache keys."""
        return {
            "data": self.data.fingerprint,
            "student": self.student,
            "semantics": self.semantics.digest if self.semantics and uses_text else "",
            **({"aligned": self.aligned_text.digest} if self.aligned_text and uses_text else {}),
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


class Method(ABC):
    """One leaderboard row: a subclass says how it predicts, and what is unusual about it.

    A dataclass is the simplest form; its fields are its settings. The flags say what the row has
    seen beyond base images; they may be set on the class or on the object.

    Attributes:
        name: the identifier in records; a class that sets none gets its own name in snake case.
        uses_text: whether it needs class vectors.
        uses_teacher_images: whether images went through a teacher.
        is_transductive: whether the queries of an episode see each other.
        uses_student: whether it works on the encoder's features; if not, on images.
        selects: whether `prepare` picks something on validation episodes.
        fixed_ways: whether it learns for episodes of one N only, so that validation needs as many
            classes as a test episode has.
        uses_base_classes: whether it learns anything from base classes.
        episodes: the first so many test episodes are enough for a slow method; None for all.
        encoder_name: what the records call the network of a method without the student.
    """

    name: str
    uses_text: bool = False
    uses_teacher_images: bool = False
    is_transductive: bool = False
    uses_student: bool = True
    selects: bool = False
    fixed_ways: bool = False
    uses_base_classes: bool = False
    episodes: int | None = None
    encoder_name: str = "its own network"

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        own = getattr(cls, "__annotations__", {})
        if not hasattr(cls, "name") and "name" not in own:
            cls.name = snake_case(cls.__name__)

    @property
    def title(self) -> str:
        """What papers call it; a class attribute or a property of a subclass may say more."""
        return readable(self.name)

    @abstractmethod
    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Train on base classes and select on validation episodes of the test's size."""

    def texts(self, arena: Arena) -> list[SemanticBank]:
        """The class vectors that the row answers with, for the records."""
        return [arena.semantics] if arena.semantics is not None else []

    def check(self, base: Mapping[str, int], *, ways: int, shots: int) -> None:  # noqa: B027
        """Find out before any training whether the row fits the data; most rows fit any.

        Args:
            base: images of each base class by its name.
            ways: N of the test episodes.
            shots: K.

        Raises:
            ValueError: it does not fit; one line that names the row.
        """

    def settings(self) -> dict[str, object]:
        """All settings that change the result, for cache keys and records.

        These are the fields of a dataclass, and else what the object holds; also where a plain
        class is made of a dataclass.
        """
        names: Iterable[str] = vars(self)
        if is_dataclass(self) and "__dataclass_fields__" in vars(type(self)):
            names = [each.name for each in fields(self) if each.init]
        return {name: plain(getattr(self, name)) for name in names if name not in ("name", "title")}


def readable(name: str) -> str:
    """ "nearest_mean" -> "Nearest mean"."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def snake_case(name: str) -> str:
    """ "ProtoNet" -> "proto_net"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def check_training_episodes(
    method: Method, base: Mapping[str, int], *, ways: int, shots: int, queries: int
) -> None:
    """Raise ValueError, in the row's name, where base classes cannot fill its training episodes.

    Args:
        method: whose episodes they are.
        base: images of each base class by its name.
        ways: N of the training episodes.
        shots: K.
        queries: Q.
    """
    try:
        check_episode_size(dict(base), ways=ways, shots=shots, queries=queries)
    except ValueError as error:
        raise ValueError(f"{method.name} trains on episodes of base classes: {error}") from None
