"""SynTrans's choice on validation episodes: stage 4 or not, and the mix of the parts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from operator import mul
from typing import Literal

import torch
from torch import Tensor

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.statistics import is_gain, standard_error
from syntrans_l2l.networks.fusion import Mix, Scores

Rule = Literal["hard", "soft", "none"]
MIX = ("alpha", "semantic weight", "whitened weight", "aligned weight")  # as `Mix` has them
STAGE_4 = "stage 4"


@dataclass(frozen=True)
class Choice:
    """What validation chose: the candidate's place and the mix."""

    candidate: int = 0
    mix: Mix = field(default_factory=Mix)


@dataclass(frozen=True)
class Selection:
    """A choice, and the accuracies behind it.

    Args:
        choice: what was chosen.
        accuracies: percent for every candidate, alpha, semantic, whitened and aligned weight.
    """

    choice: Choice
    accuracies: Tensor

    def curves(self, grid: Mapping[str, Sequence[object]]) -> dict[str, list[float]]:
        """For each value of each setting, the best accuracy over all others.

        Args:
            grid: stage 4, and the names of `MIX`.
        """
        axes = range(self.accuracies.ndim)
        return {
            name: [
                round(best, 2)
                for best in self.accuracies.amax(
                    [other for other in axes if other != axis]
                ).tolist()
            ]
            for axis, name in enumerate((STAGE_4, *MIX))
            if len(grid[name]) > 1
        }


def select(
    candidates: Sequence[Scores],
    episodes: Episodes,
    grid: Mapping[str, Sequence[float]],
    rule: Rule = "soft",
) -> Selection:
    """Choose a candidate and a mix by one of three rules.

    The yardstick is the plain visual classifier: the first candidate at alpha = 1, all other
    weights 0. As in `selection.choose`, settings count only where the mean of the classes' gains
    over it is more than one standard error above 0; where none counts, the yardstick is taken.

    "hard" takes the setting of the best mean accuracy. "soft" takes the mean of all settings of
    the best one's candidate that lie within one standard error of it; the error is that of its own
    mean over classes, and is not paired. (Breiman et al., Classification and Regression Trees,
    1984, take the simplest tree within that error; we take the mean of all.) So noise of few
    classes moves it less; it stays one classifier, other than a mean of many answers.
    `benchmarks/tried.py` compares the rules on halves of the validation classes. "none" looks at
    no accuracy: the first candidate, the mean of the whole grid.

    Args:
        candidates: the validation scores of each classifier; the first is the plain one.
        episodes: the validation episodes behind the scores.
        grid: the values of each name of `MIX`.
        rule: how to choose.
    """
    mixes = [Mix(*values) for values in product(*(grid[name] for name in MIX))]
    right = torch.stack(
        [each for scores in candidates for each in _right_by_class(scores, episodes, grid)]
    )  # [candidates * mixes, C]
    drawn = episodes.queries * torch.bincount(episodes.class_ids.flatten()).to(right.device)
    accuracies = 100.0 * right.sum(1) / drawn.sum()
    plain = next(
        _right_by_class(candidates[0], episodes, {name: [w] for name, w in _PLAIN.items()})
    )
    table = accuracies.view(len(candidates), *(len(grid[name]) for name in MIX))
    if rule == "none":
        return Selection(Choice(0, _mean(mixes)), table)
    rates = 100.0 * right[:, drawn > 0] / drawn[drawn > 0]  # [candidates * mixes, C]
    gains = rates - 100.0 * plain[drawn > 0] / drawn[drawn > 0]
    best = _best(accuracies, gains, least=float(100.0 * plain.sum() / drawn.sum()))
    if best is None:
        return Selection(Choice(), table)
    candidate = best // len(mixes)
    taken = [mixes[best % len(mixes)]]
    if rule == "soft":
        means = rates.mean(1)
        least = means[best] - standard_error(rates[best])
        near = means.view(len(candidates), -1)[candidate] >= least
        taken = [mix for mix, is_near in zip(mixes, near, strict=True) if is_near]
    return Selection(Choice(candidate, _mean(taken)), table)


_PLAIN = {"alpha": 1.0, "semantic weight": 0.0, "whitened weight": 0.0, "aligned weight": 0.0}


def _best(accuracies: Tensor, gains: Tensor, least: float) -> int | None:
    """The place of the best accuracy above `least` whose gains exceed one standard error."""
    for place in accuracies.argsort(descending=True, stable=True).tolist():
        if accuracies[place] <= least:
            break
        if is_gain(gains[place]):
            return int(place)
    return None


def _mean(mixes: Sequence[Mix]) -> Mix:
    """The mean of the mixes, each scaled to weights that add up to 1; of one mix, that mix.

    The plain cosine, of weight 1, is among the weights. Unscaled, a mix of large weights would
    drown the others.
    """
    if len(mixes) == 1:
        return mixes[0]
    alphas, *weights = zip(*(vars(mix).values() for mix in mixes), strict=True)
    voices = [1.0 / (1.0 + sum(own)) for own in zip(*weights, strict=True)]
    means = [sum(map(mul, voices, column)) / sum(voices) for column in weights]
    return Mix(*(round(value, 4) for value in (sum(alphas) / len(alphas), *means)))


def _right_by_class(
    scores: Scores, episodes: Episodes, grid: Mapping[str, Sequence[float]]
) -> Iterator[Tensor]:
    """For each mix of the grid, queries right of each class, [C]; a tie counts as wrong.

    `Scores.logits` for thousands of mixes, in 1/20 of the time: the true class comes first and
    the other classes lie whole behind it, sums grow from one loop to the next.
    """
    ways, classes = episodes.ways, episodes.class_ids.flatten()
    turned = scores.map(lambda values: _true_class_first(values, ways))
    classes = classes.to(turned.plain.visual.device)
    counts = int(classes.max()) + 1
    alphas, semantic_weights, whitened_weights, aligned_weights = (grid[name] for name in MIX)
    for alpha in alphas:
        plain = turned.plain.at(alpha)
        white = None if turned.whitened is None else turned.whitened.at(alpha)
        for b in semantic_weights:
            with_text = _plus(plain, b, turned.bridged)
            for k in whitened_weights:
                with_view = _plus(with_text, k, white)
                for c in aligned_weights:
                    logits = _plus(with_view, c, turned.aligned)  # [N, E, N, Q]
                    right = (logits[0] > logits[1:].amax(0)).sum(-1).flatten()  # [E * N]
                    zeros = torch.zeros(counts, dtype=torch.float64, device=right.device)
                    yield zeros.index_add(0, classes, right.double())


def _plus(logits: Tensor, weight: float, part: Tensor | None) -> Tensor:
    return logits if part is None or weight == 0.0 else logits.add(part, alpha=weight)


def _true_class_first(values: Tensor, ways: int) -> Tensor:
    """[E, N * Q, N], or [E, 1, N] of all queries -> [N, E, N, Q], the query's class in row 0."""
    by_class = values[:, None] if values.shape[1] == 1 else values.unflatten(1, (ways, -1))
    by_class = by_class.expand(-1, ways, -1, -1)  # [E, N, Q or 1, N]
    place = torch.arange(ways, device=values.device)
    order = (place[:, None] + place) % ways  # row j begins with j
    turned = by_class.gather(-1, order[None, :, None].expand_as(by_class))
    return turned.permute(3, 0, 1, 2).contiguous()
