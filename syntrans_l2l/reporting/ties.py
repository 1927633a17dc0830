"""Which rows of a column differ, and the ranks that follow."""

import logging
from collections.abc import Callable, Sequence

from safetensors import SafetensorError
from torch import Tensor

from syntrans_l2l.evaluation.statistics import Mean, paired_ci95, welch_ci95
from syntrans_l2l.reporting.records import Record

Accuracies = Callable[[Record], Tensor]
logger = logging.getLogger(__name__)


def same_episodes(first: Record, second: Record) -> bool:
    """Whether both have seen the same episodes, as far as the shorter of the two goes."""
    return all(
        getattr(first, name) == getattr(second, name)
        for name in ("data_fingerprint", "ways", "shots", "queries", "seed")
    )


def difference(first: Record, second: Record, accuracies: Accuracies) -> Mean:
    """first minus second with its 95% CI: paired over shared episodes, else of two means.

    Of two means it is Welch's interval. Where the accuracies of the episodes are lost or damaged,
    that is logged, and the difference is that of two means.
    """
    if same_episodes(first, second):
        try:
            ours, theirs = accuracies(first), accuracies(second)
            both = min(len(ours), len(theirs))
            return paired_ci95(ours[:both], theirs[:both])
        except (OSError, SafetensorError) as error:
            logger.warning("no paired difference of %s and %s: %s", first.id, second.id, error)
    means = (Mean(each.accuracy, each.ci95) for each in (first, second))
    return welch_ci95(*means, (first.episodes, second.episodes))


def differs(first: Record, second: Record, accuracies: Accuracies) -> bool:
    """Whether the 95% CI of the difference leaves out 0.

    Over equally many episodes, a difference's CI is at most the sum of both CIs, so that
    most pairs are told apart without reading an episode.
    """
    gap = abs(first.accuracy - second.accuracy)
    if first.episodes == second.episodes and gap > first.ci95 + second.ci95:
        return True
    mean, ci95 = difference(first, second, accuracies)
    return abs(mean) > ci95


def tied_groups(column: Sequence[Record], accuracies: Accuracies) -> list[list[Record]]:
    """The best and all that do not differ from it, then the same of the rest, and so on.

    Source: the rule of the leaderboard of Meta-Dataset (Triantafillou et al., ICLR 2020),
    written anew, with paired differences where the episodes are the same.
    """
    rest = sorted(column, key=lambda record: -record.accuracy)
    groups = []
    while rest:
        best, *others = rest
        group, rest = [best], []
        for record in others:
            (rest if differs(best, record, accuracies) else group).append(record)
        groups.append(group)
    return groups


def ranks(groups: Sequence[Sequence[Record]]) -> dict[str, float]:
    """The rank of each record by its id; ties share the average of the ranks they fill."""
    found, above = {}, 0
    for group in groups:
        for record in group:
            found[record.id] = above + (len(group) + 1) / 2
        above += len(group)
    return found
