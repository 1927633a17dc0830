"""What a text encoder or a describer can say before any work."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class ChecksClasses(Protocol):
    """A maker of texts or vectors that knows beforehand for which classes it has any."""

    def check(self, class_names: Sequence[str]) -> int | None:
        """Raise ValueError where a class is missing; M where no model is needed to know it."""
        ...


def check_classes(maker: object, class_names: Sequence[str]) -> int | None:
    """Ask a text encoder or a describer, where it can say; M where it is known."""
    return maker.check(class_names) if isinstance(maker, ChecksClasses) else None
