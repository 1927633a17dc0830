"""Derived seeds: of near seeds and of other purposes they share nothing."""

import pytest
import torch
from torch.nn import functional as F

from syntrans_l2l.cache import tensor_digest
from syntrans_l2l.seeds import derived
from syntrans_l2l.training.bridge import BridgeTraining, fit_bridges


def test_seeds_differ_by_every_part_and_are_the_same_everywhere() -> None:
    seeds = {
        derived(seed, purpose, fold)
        for seed in range(20)
        for purpose in ("bridge", "folds")
        for fold in range(20)
    }
    assert len(seeds) == 800 and all(0 <= seed < 2**63 for seed in seeds)
    assert derived(1, 23) != derived(12, 3)
    assert derived(0, "bridge", 1) == 164401294631926347
    torch.Generator().manual_seed(max(seeds))


@pytest.mark.parametrize("epochs", [0, 1])
def test_no_two_bridges_of_near_seeds_are_the_same(epochs: int) -> None:
    """Red before: seed 0's fold 1 started as seed 1's fold 0, and in the same order."""
    features = F.normalize(torch.randn(24, 6, generator=torch.Generator().manual_seed(0)), dim=-1)
    labels, vectors = torch.arange(4).repeat(6), torch.eye(4)
    settings = BridgeTraining(hidden=4, epochs=epochs)
    bridges = [
        bridge
        for seed in (0, 1)
        for bridge in fit_bridges(
            features, labels, vectors, [[0], [0], [0]], settings, seed=seed, stage=""
        )
    ]
    assert len({tensor_digest(bridge.state_dict()) for bridge in bridges}) == 6
