"""Features of episodes gathered by index, in batches that stay in the processor's cache."""

from collections.abc import Callable

import torch
from torch import Tensor

from syntrans_l2l.evaluation.episodes import Episodes

BATCH = 20  # episodes: of 5-way, 1-shot, 15 queries, 640 wide, 4 MB


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
            for batch in episodes.batches(BATCH)
        ]
    )
