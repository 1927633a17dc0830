"""Episodic training of AM3's prototypes on base classes, with the student frozen."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.networks.adaptive_prototypes import AdaptivePrototypes
from syntrans_l2l.progress import Advance
from syntrans_l2l.seeds import seeded
from syntrans_l2l.training.meta import draw_episodes

QUERIES = 10  # Q of the training episodes
_BATCH = 16  # of them a step


def train_am3(
    features: Tensor,
    labels: Tensor,
    semantics: Tensor,
    *,
    hidden: int,
    learning_rate: float,
    steps: Sequence[int],
    ways: int,
    shots: int,
    seed: int,
    advance: Advance,
) -> dict[int, AdaptivePrototypes]:
    """The network as it is after each of `steps`, frozen, in eval mode.

    Args:
        features: normalised base features [n, D].
        labels: [n].
        semantics: centred class vectors [B, M].
        hidden: width of both parts.
        learning_rate: of Adam.
        steps: rising.
        ways: N.
        shots: K.
        seed: of initialisation, episodes and dropout.
        advance: called with the number of steps done.
    """
    generator = torch.Generator().manual_seed(seed)
    members = [torch.where(labels.cpu() == c)[0] for c in range(len(semantics))]
    targets = torch.arange(ways, device=features.device).repeat_interleave(QUERIES)
    reached = {}
    with seeded(seed):
        network = AdaptivePrototypes(features.shape[1], semantics.shape[1], hidden)
        network.to(features.device).train()
        optimizer = torch.optim.Adam(network.parameters(), learning_rate)
        for step in range(1, max(steps) + 1):
            own, rows = draw_episodes(
                range(len(semantics)), members, ways, shots + QUERIES, _BATCH, generator
            )
            images = features[rows.to(features.device)]  # [E, N, K + Q, D]
            logits = network(
                images[:, :, :shots], images[:, :, shots:].flatten(1, 2), semantics[own]
            )
            loss = F.cross_entropy(logits.flatten(0, 1), targets.repeat(_BATCH))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            advance(1)
            if step in steps:
                reached[step] = copy.deepcopy(network).eval().requires_grad_(False)
    return reached
