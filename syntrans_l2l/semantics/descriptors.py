"""Descriptors: phrases about a class, each with its provenance."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.names import readable
from syntrans_l2l.semantics.sentences import joined


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One phrase about one class. A dropped one stays, with its score and the reason.

    Args:
        class_name: as the data set spells it.
        phrase: completes "a photo of a NAME, which has ...", or is a sentence of its own.
        written_by: the model that wrote it.
        prompt: the text that it answered, as it was sent.
        agreement: how many describers wrote it.
        score: of the refiner; None before refining.
        kept: whether it is encoded.
        reason: why it was kept or dropped.
    """

    class_name: str
    phrase: str
    written_by: str
    prompt: str
    agreement: int = 1
    score: float | None = None
    kept: bool = True
    reason: str = "not refined"

    @property
    def prompt_hash(self) -> str:
        """What the prompt is filed under."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()[:12]


class Describer(Protocol):
    """Writes descriptors from class names alone; `source` is what the records call it."""

    source: str

    def key(self) -> dict[str, object]:
        """All that determines the phrases, for the cache."""
        ...

    def describe(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        """At least one descriptor a class, in the order of `class_names`.

        Raises:
            ValueError: a class cannot be described; the message names it.
        """
        ...


class Refiner(Protocol):
    """Judges descriptors: gives back all of them, some with `kept = False`."""

    source: str

    def key(self) -> dict[str, object]:
        """All that determines the judgement, for the cache."""
        ...

    def refine(
        self, descriptors: Sequence[Descriptor], base_classes: Sequence[str] | None = None
    ) -> list[Descriptor]:
        """Every descriptor with score, verdict and reason.

        Args:
            descriptors: of all classes.
            base_classes: which classes may tell a class from others; None is all of them.
        """
        ...


def prompt(class_name: str, phrase: str) -> str:
    """What the text tower reads for a class and a phrase about it."""
    return joined(readable(class_name), phrase)
