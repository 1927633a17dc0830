"""How large episodes are, and how many there are."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EpisodeSize:
    """The values that travel together wherever episodes are drawn.

    Args:
        ways: N.
        shots: K.
        queries: Q per class.
        episodes: E, test episodes.
        validation_episodes: episodes that alpha and its like are picked on.
    """

    ways: int = 5
    shots: int = 1
    queries: int = 15
    episodes: int = 10_000
    validation_episodes: int = 2_000
