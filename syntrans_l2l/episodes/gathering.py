"""Features of episodes gathered by index, in batches that stay in the processor's cache."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from syntrans_l2l.episodes.episodes import Episodes

_BATCH = 8_000_000  # bytes gathered together; a quarter of a server's last cache


def cache_sized(episodes: Episodes, width: int) -> Iterator[Episodes]:
    """Batches of episodes, in order, whose features of `width` numbers stay in the cache."""
    return episodes.batches(_count(episodes.shots + episodes.queries, episodes, width))


def _count(images: int, episodes: Episodes, width: int) -> int:
    """How many episodes' features stay in the cache, of so many images a class."""
    return max(1, _BATCH // (4 * width * episodes.ways * images))


def gathered(features: Tensor, images: Tensor) -> Tensor:
    """Rows of features [n, D] for images [...]: [..., D]; half the time of plain indexing."""
    rows = features.index_select(0, images.flatten().to(features.device))
    return rows.view(*images.shape, features.shape[1])


@torch.no_grad()
def batched_logits(
    logits: Callable[[Tensor, Tensor], Tensor], features: Tensor, episodes: Episodes
) -> Tensor:
    """Logits [E, N * Q, N] from features of support [e, N, K, D] and query [e, N * Q, D].

    Args:
        logits: of one batch.
        features: of the split, [n, D].
        episodes: E of them.
    """
    return torch.cat(
        [
            logits(gathered(features, batch.support), gathered(features, batch.query).flatten(1, 2))
            for batch in cache_sized(episodes, features.shape[1])
        ]
    )


@torch.no_grad()
def products(rows: Tensor, weights: Callable[[Episodes], Tensor], episodes: Episodes) -> Tensor:
    """Inner products [E, N * Q, N] of the queries' rows with the weights of the classes.

    Weights are made of more episodes at once than products are, as many as their shots allow:
    where a network makes them, it is read less often.

    Args:
        rows: of every image, [n, D].
        weights: of some of the episodes, [e, N, D].
        episodes: E of them.
    """
    width, parts = rows.shape[1], []
    size = _count(episodes.shots + episodes.queries, episodes, width)
    for many in episodes.batches(_count(episodes.shots, episodes, width)):
        made = weights(many).split(size)
        for batch, own in zip(many.batches(size), made, strict=True):
            parts.append(gathered(rows, batch.query).flatten(1, 2) @ own.mT)
    return torch.cat(parts)
