"""Choosing the mix of SynTrans's parts on validation episodes."""

from collections.abc import Sequence
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.algorithms.mixing import MIX, STAGE_4, select
from syntrans_l2l.algorithms.selection import choose
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.statistics import episode_accuracies
from syntrans_l2l.networks.fusion import FusedCosines, Mix, Scores, fused_cosines

E, N, Q, D, C = 150, 5, 4, 6, 9
GRID: dict[str, list[float]] = dict(
    zip(MIX, ([0.0, 0.4, 0.8, 1.0], [0.0, 0.3], [0.0, 1.0, 4.0], [0.0, 2.0]), strict=True)
)


@pytest.fixture
def episodes() -> Episodes:
    generator = torch.Generator().manual_seed(0)
    class_ids = torch.rand(E, C, generator=generator).argsort(1)[:, :N]
    images = torch.zeros(E, N, Q).long()
    return Episodes(class_ids, images[..., :1], images)


def drawn(seed: int, help_: float = 0.5) -> Scores:
    """Scores whose parts all know a little of the true class."""
    generator = torch.Generator().manual_seed(seed)

    def cosines() -> FusedCosines:
        weights = F.normalize(torch.randn(2, E, N, D, generator=generator), dim=-1)
        query = weights[0].repeat_interleave(Q, 1) + weights[1].repeat_interleave(Q, 1)
        noise = torch.randn(E, N * Q, D, generator=generator)
        return fused_cosines(F.normalize(help_ * query + noise, dim=-1), weights[0], weights[1])

    def part() -> Tensor:
        true = F.one_hot(torch.arange(N).repeat_interleave(Q), N)
        return 0.3 * torch.randn(E, N * Q, N, generator=generator) + 0.1 * true

    return Scores(cosines(), part(), cosines(), part())


def accuracy(scores: Scores, mix: Mix, episodes: Episodes) -> float:
    return float(episode_accuracies(scores.logits(mix), episodes.query_labels()).mean())


def class_accuracies(scores: Scores, mix: Mix, episodes: Episodes) -> Tensor:
    """Percent right of each class, [C]."""
    logits, targets = scores.logits(mix), episodes.query_labels()
    right = (logits.argmax(-1) == targets).unflatten(1, (N, Q)).double().mean(-1)  # [E, N]
    return torch.stack([100 * right[episodes.class_ids == each].mean() for each in range(C)])


def test_its_table_and_its_choice_are_those_of_logits_one_mix_at_a_time(
    episodes: Episodes,
) -> None:
    candidates = [drawn(1), drawn(2)]
    found = select(candidates, episodes, GRID)
    mixes = [Mix(*values) for values in product(*GRID.values())]
    expected = [[accuracy(each, mix, episodes) for mix in mixes] for each in candidates]
    table = torch.tensor(expected, dtype=torch.float64).view(2, 4, 2, 3, 2)
    torch.testing.assert_close(found.accuracies, table)
    grid = [(0, Mix()), *product(range(2), mixes)]
    best = choose(grid, lambda value: candidates[value[0]].logits(value[1]), episodes)
    assert (found.choice.candidate, found.choice.mix) == best
    assert found.choice.mix != Mix()


def test_soft_is_the_mean_of_all_within_one_standard_error(episodes: Episodes) -> None:
    candidates = [drawn(2), drawn(3)]
    grid = {**GRID, "alpha": [0.3 + step / 50 for step in range(12)]}
    hard, soft = (select(candidates, episodes, grid, rule) for rule in ("hard", "soft"))
    scores = candidates[hard.choice.candidate]
    mixes = [Mix(*values) for values in product(*grid.values())]
    by_class = torch.stack([class_accuracies(scores, mix, episodes) for mix in mixes])  # [S, C]
    best = by_class[mixes.index(hard.choice.mix)]
    near = by_class.mean(1) >= best.mean() - best.std() / C**0.5
    assert 1 < int(near.sum()) < len(near)
    values = torch.tensor([list(vars(mix).values()) for mix in mixes], dtype=torch.float64)[near]
    scaled = torch.cat([torch.ones(len(values), 1), values[:, 1:]], 1)
    shares = (scaled / scaled.sum(1, keepdim=True)).mean(0)  # of the plain cosine, b, k and c
    expected = torch.cat([values[:, 0].mean()[None], shares[1:] / shares[0]])
    actual = torch.tensor(list(vars(soft.choice.mix).values()), dtype=torch.float64)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
    assert soft.choice.candidate == hard.choice.candidate


def test_none_looks_at_no_accuracy(episodes: Episodes) -> None:
    choices = [select([drawn(seed)], episodes, GRID, "none").choice for seed in (1, 2, 3)]
    assert choices[0] == choices[1] == choices[2]
    assert choices[0].candidate == 0
    assert choices[0].mix.alpha == pytest.approx(0.55)


def test_a_mean_of_mixes_answers_as_their_scaled_logits_together(episodes: Episodes) -> None:
    scores, grid = drawn(1), {**GRID, "alpha": [0.4]}
    mix = select([scores], episodes, grid, "none").choice.mix
    together = sum(
        scores.logits(each) / sum((1.0, *list(vars(each).values())[1:]))
        for each in (Mix(*values) for values in product(*grid.values()))
    )
    one = scores.logits(mix)
    assert isinstance(together, Tensor)
    torch.testing.assert_close(
        F.normalize(one, dim=-1), F.normalize(together, dim=-1), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_parts_that_know_nothing_get_no_weight(episodes: Episodes, rule: str) -> None:
    scores = drawn(1)
    assert scores.whitened is not None
    noise = torch.randn(3, E, N * Q, N, generator=torch.Generator().manual_seed(5))
    useless = FusedCosines(noise[0], noise[0], scores.whitened.agreement)
    visual = FusedCosines(scores.plain.visual, noise[0], scores.plain.agreement)
    plain = Scores(visual, noise[1], useless, noise[2])
    found = select([plain], episodes, GRID, rule)  # type: ignore[arg-type]
    assert found.choice.mix == Mix()


def test_curves_are_the_best_of_each_value(episodes: Episodes) -> None:
    found = select([drawn(1), drawn(2)], episodes, GRID)
    grid: dict[str, Sequence[object]] = {**GRID, STAGE_4: ["off", "on"]}
    curves = found.curves(grid)
    assert {name: len(curve) for name, curve in curves.items()} == {
        name: len(values) for name, values in grid.items()
    }
    best = round(float(found.accuracies.max()), 2)
    assert all(max(curve) == best for curve in curves.values())
    by_hand = float(found.accuracies[:, :, :, 1].max())
    assert curves["whitened weight"][1] == round(by_hand, 2)
    alone = select([drawn(1)], episodes, {**GRID, "aligned weight": [0.0]})
    assert "aligned weight" not in alone.curves({**GRID, "aligned weight": [0.0], STAGE_4: ["off"]})


def test_a_tie_counts_as_wrong(episodes: Episodes) -> None:
    """All logits equal say nothing, and must not be right by the order of the classes."""
    same = torch.ones(E, N * Q, N)
    flat = Scores(FusedCosines(same, same, same[:, :1]))
    others = {name: [0.0] for name in MIX[1:]}
    found = select([flat], episodes, {"alpha": [1.0], **others})
    assert float(found.accuracies.max()) == 0.0
