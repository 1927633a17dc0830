"""Rules of selection that lost on validation classes: `benchmarks/tried.py` measures them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product

import torch

from syntrans_l2l.algorithms.mixing import MIX, Rule, select
from syntrans_l2l.algorithms.selection import class_accuracies
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.statistics import is_gain, standard_error
from syntrans_l2l.networks.fusion import Mix, Scores

Grid = Mapping[str, Sequence[float]]
Chooser = Callable[[Scores, Episodes, Grid], Mix]


def _committed(rule: Rule, scores: Scores, episodes: Episodes, grid: Grid) -> Mix:
    return select([scores], episodes, grid, rule).choice.mix


soft: Chooser = partial(_committed, "soft")  # the three rules of the package
hard: Chooser = partial(_committed, "hard")
unselected: Chooser = partial(_committed, "none")


def half_a_percent(scores: Scores, episodes: Episodes, grid: Grid) -> Mix:
    """The mean of all mixes within half a percent of the best, their weights as they are."""
    accuracies = select([scores], episodes, grid, "hard").accuracies.flatten()
    mixes = torch.tensor(list(product(*(grid[name] for name in MIX))))
    return Mix(*mixes[accuracies >= accuracies.max() - 0.5].mean(0).tolist())


def equal_spreads(scores: Scores, episodes: Episodes, grid: Grid) -> Mix:
    """The soft rule, with each mix scaled by the spread of its logits and not by its weights.

    The spread of a part is the standard deviation over the classes of an episode.
    """
    selection = select([scores], episodes, grid, "hard")
    accuracies = selection.accuracies.flatten()
    rates = class_accuracies(scores.logits(selection.choice.mix), episodes)
    near = accuracies >= float(rates.mean()) - standard_error(rates)
    mixes = torch.tensor(list(product(*(grid[name] for name in MIX))))[near]  # [n, 4]
    view = None if scores.whitened is None else scores.whitened.visual
    parts = (scores.plain.visual, scores.bridged, view, scores.aligned)  # as `Mix` weighs them
    spreads = torch.tensor([0.0 if part is None else float(part.std(-1).mean()) for part in parts])
    voices = 1.0 / (spreads[0] + mixes[:, 1:] @ spreads[1:])  # [n]
    weights = (voices[:, None] * mixes[:, 1:]).sum(0) / voices.sum()
    return Mix(float(mixes[:, 0].mean()), *weights.tolist())


def view_by_its_own_gain(scores: Scores, episodes: Episodes, grid: Grid) -> Mix:
    """The second view only where classes gain by it, beyond one standard error."""
    without = soft(scores, episodes, {**grid, "whitened weight": [0.0]})
    both = soft(scores, episodes, grid)
    gains = class_accuracies(scores.logits(both), episodes) - class_accuracies(
        scores.logits(without), episodes
    )
    return both if is_gain(gains) else without
