import pytest
import torch
from scipy import stats

from syntrans_l2l.evaluation.statistics import episode_accuracies, is_gain, mean_ci95, paired_ci95


@pytest.mark.parametrize("count", [2, 6, 16, 600, 10_000])
def test_interval_is_scipys_t_interval(count: int) -> None:
    values = torch.rand(count, generator=torch.Generator().manual_seed(0)) * 100
    mean, ci95 = mean_ci95(values)
    values = values.double()
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert mean - ci95 == pytest.approx(low)
    assert mean + ci95 == pytest.approx(high)


def test_paired_interval_is_scipys() -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = torch.rand(2, 40, generator=generator).double()
    mean, ci95 = paired_ci95(first, second)
    oracle = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert mean - ci95 == pytest.approx(oracle.low)
    assert mean + ci95 == pytest.approx(oracle.high)


@pytest.mark.parametrize("classes", [5, 10, 16, 97])
def test_a_gain_is_more_than_one_standard_error(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    one = torch.zeros(classes, dtype=torch.float64)
    one[2] = 0.37
    two = one.clone()
    two[3] = 0.37
    assert not is_gain(one)
    assert is_gain(two)
    assert not is_gain(-two)
    assert not is_gain(0 * one)
    for _ in range(20):
        gains = torch.randn(classes, generator=generator).double()
        assert is_gain(gains) == bool(gains.mean() > stats.sem(gains))


def test_an_interval_over_sixteen_classes_covers_95_percent() -> None:
    """The normal quantile's covers 93%."""
    generator = torch.Generator().manual_seed(2)
    samples = torch.randn(5000, 16, generator=generator)
    covered = [abs(mean) <= ci95 for mean, ci95 in map(mean_ci95, samples)]
    assert sum(covered) / len(covered) == pytest.approx(0.95, abs=0.01)


def test_accuracies_count_per_episode() -> None:
    logits = torch.tensor([[[2.0, 1.0], [0.0, 3.0]], [[0.0, 1.0], [5.0, 3.0]]])
    assert episode_accuracies(logits, torch.tensor([0, 1])).tolist() == [100.0, 0.0]


@pytest.mark.parametrize("values", [torch.tensor([1.0]), torch.tensor([1.0, float("nan")])])
def test_intervals_need_finite_values(values: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_ci95(values)


def test_pairs_need_the_same_episodes() -> None:
    with pytest.raises(ValueError, match="same episodes"):
        paired_ci95(torch.rand(5), torch.rand(6))
