"""Means, confidence intervals and paired differences over episodes."""

import math
from functools import cache
from typing import NamedTuple

from scipy.special import stdtrit
from torch import Tensor


class Mean(NamedTuple):
    """A mean and the half-width of its 95% confidence interval."""

    mean: float
    ci95: float


def mean_ci95(values: Tensor) -> Mean:
    """Mean and 95% CI of one value an episode, or a class, [E]: Student's t interval.

    The normal's quantile would cover 93% over 16 classes; over 10,000 episodes the two agree to
    four digits.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    if values.ndim != 1 or len(values) < 2 or not values.isfinite().all():
        wrong = int((~values.isfinite()).sum())
        raise ValueError(
            f"need two or more finite values, got {list(values.shape)}, {wrong} of them not finite"
        )
    half_width = t95(len(values) - 1) * standard_error(values)
    return Mean(float(values.double().mean()), half_width)


def standard_error(values: Tensor) -> float:
    """Of the mean of one value a class, or an episode, [E]."""
    return float(values.double().std(unbiased=True)) / math.sqrt(len(values))


def is_gain(gains: Tensor) -> bool:
    """Whether the mean of the classes' gains, [C], is more than one standard error above 0.

    What one class gains while the others gain nothing is exactly one error: no gain, whatever
    the last digit says.
    """
    return float(gains.mean()) > standard_error(gains) * (1 + 1e-9)


@cache
def t95(freedom: float) -> float:
    """The 97.5% quantile of Student's t with `freedom` degrees of freedom."""
    return float(stdtrit(freedom, 0.975))


def paired_ci95(values: Tensor, reference: Tensor) -> Mean:
    """Mean and 95% CI of the difference over the same episodes, [E] and [E].

    Raises:
        ValueError: the two do not have the same episodes' shape.
    """
    if values.shape != reference.shape:
        raise ValueError(
            f"paired differences need the same episodes: {list(values.shape)} values against "
            f"{list(reference.shape)}"
        )
    return mean_ci95(values.double() - reference.double())


def welch_ci95(first: Mean, second: Mean, counts: tuple[int, int]) -> Mean:
    """first minus second with its 95% CI, two means of separate episodes.

    The degrees of freedom are Welch and Satterthwaite's.

    Args:
        first: as `mean_ci95` gives it.
        second: likewise.
        counts: the values behind each, two or more.
    """
    freedoms = [count - 1 for count in counts]
    errors = [mean.ci95 / t95(free) for mean, free in zip((first, second), freedoms, strict=True)]
    shares = [error**2 for error in errors]
    difference, variance = first.mean - second.mean, sum(shares)
    if variance == 0.0:
        return Mean(difference, 0.0)
    freedom = variance**2 / sum(
        share**2 / free for share, free in zip(shares, freedoms, strict=True)
    )
    return Mean(difference, t95(freedom) * variance**0.5)


def episode_accuracies(logits: Tensor, labels: Tensor) -> Tensor:
    """Percent of queries right, per episode: logits [E, N * Q, N], labels [N * Q] -> [E]."""
    return percent_right(logits.argmax(-1), labels)


def percent_right(said: Tensor, labels: Tensor) -> Tensor:
    """Percent of answers right, per episode: said [E, N * Q], labels [N * Q] -> [E]."""
    return (said == labels).double().mean(-1) * 100.0
