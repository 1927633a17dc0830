"""SynTrans on cached features: bridge, weight generator, reconstructor and alpha."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor

from syntrans_l2l.algorithms.class_vectors import base_mean, centred_vectors, required_bank
from syntrans_l2l.algorithms.fitting import Stages, SynTransSettings
from syntrans_l2l.algorithms.one_product import OneProduct
from syntrans_l2l.algorithms.scoring import episode_scores, to_semantic
from syntrans_l2l.algorithms.selection import select, selected
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.diagnostics import alpha_curve, of_weights
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Scores
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.bridge import make_folds
from syntrans_l2l.training.meta import check_meta_training

Variant = Literal["full", "shuffled", "visual"]
_NAMES = {"full": "syntrans", "shuffled": "syntrans_shuffled", "visual": "syntrans_visual"}


@dataclass(frozen=True, kw_only=True)
class FittedSynTrans:
    """What fitting leaves: networks, frozen, and what validation chose.

    Args:
        classifier: makes w_v and w_s.
        bank: the class vectors it was fitted with; None for a visual classifier.
        centre: mean of the base classes' normalised vectors, [M]; None for a visual classifier.
        left_out: for each base class the fold whose bridge has not seen it, [B].
        alpha: the share of w_v.
        b: the weight of `cos(G_vs(query), s)`.
        selected: what was chosen, on which split and from which grid.
    """

    classifier: MultimodalClassifier
    bank: SemanticBank | None
    centre: Tensor | None
    left_out: Tensor
    alpha: float
    b: float
    selected: dict[str, object]


class SynTransMethod(Method):
    """Tang, He, Qin, "Connecting Giants", IJCAI 2025, as reconstructed here.

    gin files know it as `SynTrans`; in Python that name is the learn2learn algorithm's.

    Args:
        variant: "full"; "shuffled", the control with every class under another's vector; or
            "visual", the weight generator alone.
        parts: what it is made of.

    Raises:
        ValueError: unknown variant.
    """

    selects = True
    uses_base_classes = True

    def __init__(self, variant: Variant = "full", parts: SynTransSettings | None = None) -> None:
        if variant not in _NAMES:
            raise ValueError(f"SynTrans.variant must be one of {list(_NAMES)}, got {variant!r}")
        self.variant = variant
        self.parts = parts or SynTransSettings()
        self.name = _NAMES[variant]
        self.uses_text = variant != "visual"

    def settings(self) -> dict[str, object]:
        return {"variant": self.variant, **asdict(self.parts)}

    def check(self, base: Mapping[str, int], *, ways: int, shots: int) -> None:
        """Find out before any training whether stages 3 and 4 fit base classes of these sizes.

        Raises:
            ValueError: too many folds, or too few images.
        """
        folds = make_folds(len(base), self.parts.folds, seed=0)
        check_meta_training(list(base.values()), folds, self.parts.meta, ways=ways, shots=shots)

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        fitted = self.fit(arena, validation)
        features = arena.unit_features()
        semantics = None
        if fitted.bank is not None:
            semantics = centred_vectors(arena.data, fitted.bank, arena.device)
        bridged = {
            split: to_semantic(fitted.classifier.bridges, features[split])
            for split in ("validation", "test")
        }
        classify = OneProduct(
            fitted.classifier,
            features["test"],
            bridged["test"],
            semantics["test"] if semantics else None,
            fitted.alpha,
            fitted.b,
        )

        def scores(split: str, episodes: Episodes) -> Scores:
            vectors = semantics[split] if semantics else None
            return episode_scores(
                fitted.classifier, features[split], bridged[split], vectors, episodes
            )

        def diagnose(test: Episodes) -> dict[str, Tensor]:
            if semantics is None:
                return {}
            alphas = torch.tensor(self.parts.alphas, dtype=torch.float64)
            return {
                "alphas": alphas,
                "alpha_validation": alpha_curve(
                    scores("validation", validation), validation, alphas, fitted.b
                ),
                "alpha_test": alpha_curve(scores("test", test), test, alphas, fitted.b),
                **of_weights(
                    fitted.classifier, features["test"], semantics["test"], test, fitted.alpha
                ),
            }

        return Predictor(classify.logits, fitted.selected, "heads on base features", diagnose)

    def fit(self, arena: Arena, validation: Episodes) -> FittedSynTrans:
        """Fit on base classes; pick alpha, b and the use of stage 4 on validation episodes."""
        features = arena.unit_features()
        bank = self._bank(arena)
        semantics = centred_vectors(arena.data, bank, arena.device) if bank else None
        stages = Stages(
            arena=arena,
            parts=self.parts,
            features=features["train"],
            semantics=semantics["train"] if semantics else None,
            variant=self.name,
        )
        candidates = [stages.initial()]
        if self.parts.meta.iterations:
            size = {"ways": validation.ways, "shots": validation.shots}
            candidates.append(stages.meta_trained(**size))
        bridged = to_semantic(stages.bridges, features["validation"])
        vectors = semantics["validation"] if semantics else None
        alphas = self.parts.alphas if semantics else (1.0,)
        namings = self.parts.namings if semantics and self.parts.bridge.naming else (0.0,)
        choice = select(
            [
                episode_scores(candidate, features["validation"], bridged, vectors, validation)
                for candidate in candidates
            ],
            validation,
            alphas,
            namings,
        )
        values = {"alpha": choice.alpha, "b": choice.naming}
        left_out = torch.zeros(len(arena.data.train.class_names), dtype=torch.int64)
        for number, fold in enumerate(stages.folds):
            left_out[fold] = number
        return FittedSynTrans(
            classifier=candidates[choice.candidate],
            bank=bank,
            centre=base_mean(arena.data, bank) if bank else None,
            left_out=left_out,
            alpha=choice.alpha,
            b=choice.naming,
            selected=selected(
                {**values, "stage 4": "on" if choice.candidate else "off"},
                {
                    "alpha": list(alphas),
                    "b": list(namings),
                    "stage 4": ["off", "on"][: len(candidates)],
                },
                validation,
            ),
        )

    def _bank(self, arena: Arena) -> SemanticBank | None:
        if self.variant == "visual":
            return None
        bank = required_bank(arena, self.name)
        return bank.shuffled(arena.seed) if self.variant == "shuffled" else bank
