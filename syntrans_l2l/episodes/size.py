"""How large episodes are, and how many there are."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class EpisodeSize:
    """The values that travel together wherever episodes are drawn.

    Args:
        ways: N.
        shots: K.
        queries: Q per class.
        episodes: E, test episodes.
        validation_episodes: episodes that alpha and its like are picked on.

    Raises:
        ValueError: a value is no whole number, or too small.
    """

    ways: int = 5
    shots: int = 1
    queries: int = 15
    episodes: int = 10_000
    validation_episodes: int = 2_000

    def __post_init__(self) -> None:
        for field in fields(self):
            # one way leaves nothing to tell apart, and one episode has no spread
            least = 1 if field.name in ("shots", "queries") else 2
            check_whole_number(field.name, getattr(self, field.name), least)


def check_whole_number(name: str, value: object, least: int | None = None) -> None:
    """Raise ValueError where `value` is no whole number of at least `least`."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or (least is not None and isinstance(value, int) and value < least):
        of_at_least = "" if least is None else f" of at least {least}"
        raise ValueError(f"{name} must be a whole number{of_at_least}, got {value!r}")
