"""From an arena to what SynTrans is fitted on, and from what is fitted back to a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from syntrans_l2l.algorithms.diagnostics import diagnostics
from syntrans_l2l.algorithms.labelled_features import Aligned, LabelledFeatures
from syntrans_l2l.algorithms.one_product import OneProduct
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.progress import titled
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.job import Job

if TYPE_CHECKING:  # it imports learn2learn, which takes seconds
    from syntrans_l2l.algorithms.syntrans import SynTrans


@dataclass(frozen=True)
class Texts:
    """The class vectors of a row.

    Args:
        bank: what the bridge is fitted on; None for a visual classifier.
        aligned: in the space of the arena's `aligned` features; None where there are none.
    """

    bank: SemanticBank | None
    aligned: SemanticBank | None


def labelled(arena: Arena, split: str, texts: Texts) -> LabelledFeatures:
    """The arena's features of a split, with the vectors of its classes."""
    part = getattr(arena.data, split)
    return LabelledFeatures(
        arena.features[split],
        part.labels,
        _vectors(arena, split, texts.bank),
        part.class_names,
        aligned=_aligned(arena, split, texts.aligned),
    )


def job(arena: Arena, name: str) -> Job:
    """The arena's seed and device, and its bars under the name of a row."""
    return Job(seed=arena.seed, device=arena.device, progress=titled(arena.progress, name))


def predictor(
    algorithm: "SynTrans",
    arena: Arena,
    texts: Texts,
    validation: Episodes,
    alphas: Sequence[float],
) -> Predictor:
    """A fitted SynTrans as a row answers with it: many episodes at once.

    Args:
        algorithm: fitted on the arena's features, with its mix chosen.
        arena: the same.
        texts: the class vectors that it was fitted with.
        validation: the episodes that it was selected on.
        alphas: where its figure of accuracy over alpha is drawn.
    """
    given = {
        split: algorithm.given(
            arena.features[split],
            _vectors(arena, split, texts.bank),
            _aligned(arena, split, texts.aligned),
        )
        for split in ("validation", "test")
    }
    classify = OneProduct(algorithm.classifier, given["test"], algorithm.mix)

    def diagnose(test: Episodes) -> dict[str, Tensor]:
        episodes = {"validation": validation, "test": test}
        return diagnostics(algorithm, given, episodes, alphas)

    return Predictor(classify.logits, algorithm.selected, "heads on base features", diagnose)


def _vectors(arena: Arena, split: str, bank: SemanticBank | None) -> Tensor | None:
    """Of the split's classes, [C, M]."""
    return None if bank is None else bank.select(getattr(arena.data, split).class_names)


def _aligned(arena: Arena, split: str, bank: SemanticBank | None) -> Aligned | None:
    """Of the split; nothing of base classes, which nothing is fitted on there."""
    if bank is None or arena.aligned is None or split == "train":
        return None
    return Aligned(arena.aligned[split], _vectors(arena, split, bank))
