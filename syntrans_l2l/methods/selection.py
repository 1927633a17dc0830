"""Picking alpha and b on validation episodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from syntrans_l2l.evaluation.episodes import Episodes
from syntrans_l2l.evaluation.statistics import episode_accuracies, mean_ci95
from syntrans_l2l.networks.fusion import Scores


@dataclass(frozen=True)
class Choice:
    """What validation chose: the candidate's place, alpha, and b."""

    candidate: int
    alpha: float
    naming: float


def select(
    candidates: Sequence[Scores],
    episodes: Episodes,
    alphas: Sequence[float],
    namings: Sequence[float],
) -> Choice:
    """The best mean accuracy, unless its gain may be an accident of the validation classes.

    The first candidate at alpha = 1 and b = 0, the plain visual classifier, is the yardstick.
    Thousands of episodes over a few classes make any difference look certain, so the gain is
    tested over classes: where the 95% CI of the classes' gains holds 0, the plain one is taken.

    Args:
        candidates: the validation scores of each classifier; the first is the plain one.
        episodes: the validation episodes behind the scores.
        alphas: the grid of alpha.
        namings: the grid of b.
    """
    plain = candidates[0].logits(1.0, 0.0)
    labels = episodes.query_labels().to(plain.device)
    best, best_logits = Choice(0, 1.0, 0.0), plain
    best_accuracy = episode_accuracies(plain, labels).mean()
    for place, scores in enumerate(candidates):
        for alpha in alphas:
            for naming in namings:
                logits = scores.logits(alpha, naming)
                accuracy = episode_accuracies(logits, labels).mean()
                if accuracy > best_accuracy:
                    best, best_logits = Choice(place, alpha, naming), logits
                    best_accuracy = accuracy
    gain = mean_ci95(class_accuracies(best_logits, episodes) - class_accuracies(plain, episodes))
    return best if gain.mean > gain.ci95 else Choice(0, 1.0, 0.0)


def class_accuracies(logits: Tensor, episodes: Episodes) -> Tensor:
    """Percent of queries right per class over all episodes: [E, N * Q, N] -> [C]."""
    labels = episodes.query_labels().to(logits.device)
    right = (logits.argmax(-1) == labels).double().unflatten(1, (episodes.ways, -1)).mean(-1)
    classes = episodes.class_ids.flatten().to(logits.device)  # [E * N]
    sums = torch.zeros(int(classes.max()) + 1, dtype=torch.float64, device=logits.device)
    drawn = torch.bincount(classes)
    sums = sums.index_add(0, classes, right.flatten())
    return 100.0 * sums[drawn > 0] / drawn[drawn > 0]
