"""The leaderboard's rows of SynTrans: the method and its controls."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal

from syntrans_l2l.algorithms.fitting import fit_on_episodes
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.methods.class_vectors import required_bank
from syntrans_l2l.methods.fitted import job, labelled, predictor
from syntrans_l2l.semantics.bank import SemanticBank

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
            of its own; or "visual", the weight generator and the whitened view without text,
            the honest reference for what text is worth.
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

    def texts(self, arena: Arena) -> list[SemanticBank]:
        bank = arena.semantics if self.parts.reads_class_vectors else None
        aligned = arena.aligned_text if any(self.parts.aligned_weights) else None
        banks = [bank] if bank is not None else []
        return banks if aligned is None or aligned is bank else [*banks, aligned]

    def check(self, base: Mapping[str, int], *, ways: int, shots: int) -> None:
        """Raise ValueError where stages 3 and 4 do not fit base classes of these sizes."""
        self.parts.check(list(base.values()), ways=ways, shots=shots)

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        fitted = self.fit(arena, validation)
        return predictor(fitted, self.seen(arena), validation, self.parts.alphas)

    def fit(self, arena: Arena, validation: Episodes) -> "SynTrans":
        """The algorithm behind the row, for tasks of features; it has no table of classes yet."""
        choice = None
        if self.variant == "shuffled":
            choice = SynTransRow("full", self.parts).fit(arena, validation).choice
        seen = self.seen(arena)
        algorithm = fit_on_episodes(
            labelled(seen, "train"),
            labelled(seen, "validation"),
            validation,
            self.parts,
            choice=choice,
            job=job(arena, self.name),
            cache=arena.cache,
        )
        if self.variant == "shuffled":
            algorithm.selected["selected with"] = "the true text"
        return algorithm

    def seen(self, arena: Arena) -> Arena:
        """The arena with the text that the variant and its grids use.

        Raises:
            ValueError: there is none.
        """
        if not self.uses_text:
            return replace(arena, semantics=None, aligned_text=None)
        bank, aligned = required_bank(arena, self.name), arena.aligned_text
        if self.variant != "full":
            bank = bank.shuffled(arena.seed)
            aligned = aligned.shuffled(arena.seed) if aligned else None
        read = bank if self.parts.reads_class_vectors else None
        return replace(arena, semantics=read, aligned_text=aligned)
