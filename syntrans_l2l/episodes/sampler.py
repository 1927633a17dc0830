"""Episodes drawn without learn2learn: whole blocks at a time, for very many of them."""

from collections.abc import Iterator

import torch
from torch import Tensor

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.episodes.episodes import Episodes

_BLOCK = 1000  # episodes drawn together: the same whatever the number asked for


def stream_episodes(
    split: Split, *, ways: int, shots: int, queries: int, count: int, seed: int
) -> Iterator[Episodes]:
    """Draw `count` episodes in blocks, none of which needs to be kept.

    The distribution is that of learn2learn's task transforms: N classes in random order, K + Q
    images of each, all without replacement; the episodes are others, and Python's `random` is
    not used. The first episodes of a seed are the same whatever `count`. The cost of an episode
    does not grow with classes or images.

    Args:
        split: the classes and their images; classes may differ in size.
        ways: N.
        shots: K.
        queries: Q.
        count: E.
        seed: of the generator.

    Raises:
        ValueError: the classes cannot fill such an episode.
    """
    split.check_episodes(ways=ways, shots=shots, queries=queries)
    sizes = split.class_counts()  # [C]
    by_class = split.labels.argsort(stable=True)  # [n]
    starts = sizes.cumsum(0) - sizes  # [C], the places of the classes in by_class
    generator = torch.Generator().manual_seed(seed)
    classes = torch.full((_BLOCK,), len(sizes))
    for first in range(0, count, _BLOCK):
        class_ids = draw_distinct(classes, ways, generator)  # [E, N]
        places = draw_distinct(sizes[class_ids], shots + queries, generator)  # [E, N, K + Q]
        images = by_class[starts[class_ids][..., None] + places]
        yield Episodes(class_ids, images[..., :shots], images[..., shots:]).first(count - first)


def draw_distinct(sizes: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` distinct integers below each of `sizes`, in random order: [...] -> [..., count].

    Every ordered draw is equally likely. Time and memory depend on `count` alone, not on the
    sizes.

    Source: Floyd's algorithm F, in Bentley and Floyd, "A sample of brilliance", CACM 1987; then a
    random order.
    """
    # The places come first, so that each line below works on whole rows: [count, ...]
    bounds = sizes + torch.arange(1 - count, 1).view(-1, *[1] * sizes.ndim)
    uniform = torch.rand(bounds.shape, generator=generator, dtype=torch.float64)
    drawn = (uniform * bounds).long()  # 0 to bound - 1
    for place in range(1, count):
        taken = (drawn[:place] == drawn[place]).any(0)
        drawn[place] = torch.where(taken, bounds[place] - 1, drawn[place])
    order = torch.rand(*sizes.shape, count, generator=generator).argsort(-1)
    return drawn.movedim(0, -1).gather(-1, order)
