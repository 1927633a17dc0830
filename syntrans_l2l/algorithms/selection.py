"""Picking settings on validation episodes: the rule that all methods share."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.statistics import episode_accuracies, is_gain

V = TypeVar("V")


def choose(grid: Sequence[V], logits: Callable[[V], Tensor], episodes: Episodes) -> V:
    """The best mean accuracy among the values that gain more than one standard error.

    The first value is the yardstick. Thousands of episodes over a few classes make any
    difference look certain, so gains are judged over classes: a value counts where the mean of
    the classes' gains is more than one standard error above 0. Where none is, the first value is
    taken. That keeps out what a single class gains; it is no test of significance.

    Args:
        grid: the values, the plainest first.
        logits: of the validation episodes, [E, N * Q, N], with a value.
        episodes: the validation episodes.
    """
    best, plain = grid[0], logits(grid[0])
    labels = episodes.query_labels().to(plain.device)
    best_accuracy = episode_accuracies(plain, labels).mean()
    plain_by_class = class_accuracies(plain, episodes)
    for value in grid[1:]:
        tried = logits(value)
        accuracy = episode_accuracies(tried, labels).mean()
        if accuracy > best_accuracy:
            gains = class_accuracies(tried, episodes) - plain_by_class
            if is_gain(gains):
                best, best_accuracy = value, accuracy
    return best


def selected(
    values: Mapping[str, object], grid: Mapping[str, object], episodes: Episodes
) -> dict[str, object]:
    """What the record says of a choice."""
    return {"values": values, "split": "validation", "episodes": len(episodes), "grid": grid}


def class_accuracies(logits: Tensor, episodes: Episodes) -> Tensor:
    """Percent of queries right per class over all episodes: [E, N * Q, N] -> [C]."""
    labels = episodes.query_labels().to(logits.device)
    right = (logits.argmax(-1) == labels).double().unflatten(1, (episodes.ways, -1)).mean(-1)
    classes = episodes.class_ids.flatten().to(logits.device)  # [E * N]
    sums = torch.zeros(int(classes.max()) + 1, dtype=torch.float64, device=logits.device)
    drawn = torch.bincount(classes)
    sums = sums.index_add(0, classes, right.flatten())
    return 100.0 * sums[drawn > 0] / drawn[drawn > 0]
