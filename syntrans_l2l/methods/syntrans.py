"""The leaderboard's rows of SynTrans: the method and its controls."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from syntrans_l2l.algorithms.diagnostics import diagnostics
from syntrans_l2l.algorithms.fitting import fit_on_episodes
from syntrans_l2l.algorithms.labelled_features import LabelledFeatures
from syntrans_l2l.algorithms.one_product import OneProduct
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.methods.class_vectors import required_bank
from syntrans_l2l.progress import Advance, Progress
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.job import Job

if TYPE_CHECKING:  # it imports learn2learn, which takes seconds
    from syntrans_l2l.algorithms.syntrans import SynTrans

Variant = Literal["full", "shuffled", "reselected", "visual"]
_NAMES = {
    "full": "syntrans",
    "shuffled": "syntrans_shuffled",
    "reselected": "syntrans_shuffled_reselected",
    "visual": "syntrans_visual",
}
_TITLES = {
    "full": "SynTrans",
    "shuffled": "SynTrans, text shuffled",
    "reselected": "SynTrans, text shuffled, selected anew",
    "visual": "SynTrans, visual only",
}


class SynTransRow(Method):
    """Tang, He, Qin, "Connecting Giants", IJCAI 2025, as reconstructed here.

    Args:
        variant: "full"; "shuffled", the control with every class under another's vector, at the
            settings that were selected with the true text; "reselected", the same with settings
            of its own; or "visual", the weight generator only.
        parts: what it is made of.

    Raises:
        ValueError: unknown variant.
    """

    selects = True
    uses_base_classes = True

    def __init__(self, variant: Variant = "full", parts: SynTransSettings | None = None) -> None:
        if variant not in _NAMES:
            raise ValueError(f"SynTransRow.variant must be one of {list(_NAMES)}, got {variant!r}")
        self.variant = variant
        self.parts = parts or SynTransSettings()
        self.name = _NAMES[variant]
        self.uses_text = variant != "visual"

    @property
    def title(self) -> str:
        return _TITLES[self.variant]

    def settings(self) -> dict[str, object]:
        return {"variant": self.variant, **asdict(self.parts)}

    def check(self, base: Mapping[str, int], *, ways: int, shots: int) -> None:
        """Raise ValueError where stages 3 and 4 do not fit base classes of these sizes."""
        self.parts.check(list(base.values()), ways=ways, shots=shots)

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        algorithm = self.fit(arena, validation)
        given = {
            split: algorithm.given(arena.features[split], self._vectors(arena, split))
            for split in ("validation", "test")
        }
        classify = OneProduct(
            algorithm.classifier,
            given["test"],
            algorithm.current_alpha,
            algorithm.semantic_weight,
        )

        def diagnose(test: Episodes) -> dict[str, Tensor]:
            episodes = {"validation": validation, "test": test}
            return diagnostics(algorithm, given, episodes, self.parts.alphas)

        return Predictor(classify.logits, algorithm.selected, "heads on base features", diagnose)

    def fit(self, arena: Arena, validation: Episodes) -> "SynTrans":
        """The algorithm behind the row, for tasks of features; it has no table of classes yet."""
        choice = None
        if self.variant == "shuffled":
            choice = SynTransRow("full", self.parts).fit(arena, validation).choice
        base, other = (
            LabelledFeatures(
                arena.features[split],
                getattr(arena.data, split).labels,
                self._vectors(arena, split),
                getattr(arena.data, split).class_names,
            )
            for split in ("train", "validation")
        )
        job = Job(seed=arena.seed, device=arena.device, progress=self._progress(arena))
        algorithm = fit_on_episodes(
            base, other, validation, self.parts, choice=choice, job=job, cache=arena.cache
        )
        if self.variant == "shuffled":
            algorithm.selected["selected with"] = "the true text"
        return algorithm

    def bank(self, arena: Arena) -> SemanticBank | None:
        """The class vectors that the variant uses.

        Raises:
            ValueError: there are none.
        """
        if not self.uses_text:
            return None
        bank = required_bank(arena, self.name)
        return bank if self.variant == "full" else bank.shuffled(arena.seed)

    def _vectors(self, arena: Arena, split: str) -> Tensor | None:
        """Of the split's classes, [C, M]."""
        bank = self.bank(arena)
        return None if bank is None else bank.select(getattr(arena.data, split).class_names)

    def _progress(self, arena: Arena) -> Progress:
        """The arena's, with the row's name on its bars."""

        def progress(
            stage: str, *, total: int, unit: str, done: int = 0
        ) -> AbstractContextManager[Advance]:
            return arena.progress(f"{self.name}: {stage}", total=total, unit=unit, done=done)

        return progress
