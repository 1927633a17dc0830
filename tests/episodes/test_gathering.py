"""Inner products in batches, against one product of everything."""

import pytest
import torch

from syntrans_l2l.episodes import gathering
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import products

N, K, Q, D, IMAGES = 3, 1, 4, 5, 40


@pytest.mark.parametrize("held", [1, 20, 10**9])  # episodes that fit with their queries
def test_products_are_those_of_every_episode(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_BATCH", 4 * D * N * (K + Q) * held)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(IMAGES, D, generator=generator)
    drawn = torch.randint(IMAGES, (300, N, K + Q), generator=generator)
    episodes = Episodes(drawn[..., 0], drawn[..., :K], drawn[..., K:])
    asked: list[int] = []

    def weights(some: Episodes) -> torch.Tensor:
        asked.append(len(some.support))
        return rows[some.support[..., 0]]

    expected = torch.einsum(
        "eqd,end->eqn", rows[episodes.query].flatten(1, 2), rows[episodes.support[..., 0]]
    )
    torch.testing.assert_close(products(rows, weights, episodes), expected)
    most = min(held * (K + Q), 300)  # shots alone leave room for more
    assert asked == [most] * (300 // most)
