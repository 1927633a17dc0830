"""From an arena to what SynTrans is fitted on, and from what is fitted back to a row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.algorithms.diagnostics import diagnostics
from syntrans_l2l.algorithms.labelled_features import Aligned, LabelledFeatures
from syntrans_l2l.algorithms.one_product import OneProduct
from syntrans_l2l.algorithms.scoring import Given, given_of
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.progress import titled
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.job import Job

if TYPE_CHECKING:  # it imports learn2learn, which takes seconds
    from syntrans_l2l.algorithms.syntrans import SynTrans


def labelled(arena: Arena, split: str) -> LabelledFeatures:
    """The arena's features of a split, with the vectors of its classes."""
    part = getattr(arena.data, split)
    return LabelledFeatures(
        arena.features[split],
        part.labels,
        _vectors(arena.semantics, part.class_names),
        part.class_names,
        aligned=_aligned(arena, split),
    )


def job(arena: Arena, name: str) -> Job:
    """The arena's seed and device, and its bars under the name of a row."""
    return Job(seed=arena.seed, device=arena.device, progress=titled(arena.progress, name))


def predictor(
    algorithm: "SynTrans",
    arena: Arena,
    validation: Episodes,
    alphas: Sequence[float],
) -> Predictor:
    """A fitted SynTrans as a row answers with it: many episodes at once.

    Args:
        algorithm: fitted on the arena's features, with its mix chosen.
        arena: the same, with the text that it was fitted with.
        validation: the episodes that it was selected on.
        alphas: where its figure of accuracy over alpha is drawn.
    """
    given = {split: _given(algorithm, arena, split) for split in ("validation", "test")}
    classify = OneProduct(algorithm.classifier, given["test"], algorithm.mix)

    def diagnose(test: Episodes) -> dict[str, Tensor]:
        episodes = {"validation": validation, "test": test}
        return diagnostics(algorithm, given, episodes, alphas)

    return Predictor(classify.logits, algorithm.selected, "heads on base features", diagnose)


def _given(algorithm: "SynTrans", arena: Arena, split: str) -> Given:
    """What the logits of a split's episodes are made of."""
    vectors = _vectors(arena.semantics, getattr(arena.data, split).class_names)
    return given_of(
        F.normalize(arena.features[split].to(algorithm.mean.device), dim=-1),
        None if vectors is None else algorithm.centred(vectors),
        bridges=algorithm.classifier.bridges,
        view=algorithm.view,
        aligned=_aligned(arena, split),
    )


def _vectors(bank: SemanticBank | None, class_names: Sequence[str]) -> Tensor | None:
    """Of these classes, [C, M]."""
    return None if bank is None else bank.select(class_names)


def _aligned(arena: Arena, split: str) -> Aligned | None:
    """The split in the space that images and text share.

    None of base classes: nothing is fitted on them there, and they may lack text.
    """
    bank = arena.aligned_text
    if arena.aligned is None or bank is None or split == "train":
        return None
    return Aligned(arena.aligned[split], bank.select(getattr(arena.data, split).class_names))
