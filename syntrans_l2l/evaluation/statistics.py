"""Means, confidence intervals and paired differences over episodes."""

from typing import NamedTuple

from torch import Tensor

Z95 = 1.959963984540054  # the normal's 97.5% quantile: E is in the hundreds or more


class Mean(NamedTuple):
    """A mean and the half-width of its 95% confidence interval."""

    mean: float
    ci95: float


def mean_ci95(values: Tensor) -> Mean:
    """Mean and 95% CI of one value an episode, [E], with the unbiased standard deviation.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    if values.ndim != 1 or len(values) < 2 or not values.isfinite().all():
        raise ValueError(f"need two or more finite values, got {list(values.shape)}")
    values = values.double()
    half_width = Z95 * float(values.std(unbiased=True)) / len(values) ** 0.5
    return Mean(float(values.mean()), half_width)


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


def episode_accuracies(logits: Tensor, labels: Tensor) -> Tensor:
    """Percent of queries right, per episode: logits [E, N * Q, N], labels [N * Q] -> [E]."""
    return percent_right(logits.argmax(-1), labels)


def percent_right(said: Tensor, labels: Tensor) -> Tensor:
    """Percent of answers right, per episode: said [E, N * Q], labels [N * Q] -> [E]."""
    return (said == labels).double().mean(-1) * 100.0
