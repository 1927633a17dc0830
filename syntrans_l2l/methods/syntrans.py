"""SynTrans on cached features: bridge, weight generator, reconstructor and alpha."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.cache import code_digest
from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.evaluation.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.methods.scoring import episode_scores, to_semantic
from syntrans_l2l.methods.selection import select
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Scores
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.training.bridge import BridgeTraining, class_centres, fit_bridges, make_folds
from syntrans_l2l.training.meta import MetaTraining, meta_train

Variant = Literal["full", "shuffled", "visual"]
_NAMES = {"full": "syntrans", "shuffled": "syntrans_shuffled", "visual": "syntrans_visual"}
_CODE = (
    "syntrans_l2l.networks.bridge",
    "syntrans_l2l.networks.classifier",
    "syntrans_l2l.networks.fusion",
    "syntrans_l2l.networks.reconstructor",
    "syntrans_l2l.networks.weight_generator",
    "syntrans_l2l.training.bridge",
    "syntrans_l2l.training.meta",
    "syntrans_l2l.methods.scoring",
    __name__,
)


@dataclass(frozen=True, kw_only=True)
class SynTransSettings:
    """The parts of SynTrans and their sizes, each a switch.

    Args:
        bridge: stage 3.
        meta: stage 4; its `iterations = 0` leaves generator and reconstructor as they start.
        folds: of cross-fitting the bridge over base classes.
        attention: whether the visual weight generator attends to base classes.
        residual: whether the reconstructor learns a correction to what the bridge makes.
        alphas: the grid of alpha, picked on validation episodes.
        namings: the grid of b, the weight of `cos(G_vs(query), s)`.
    """

    bridge: BridgeTraining = field(default_factory=BridgeTraining)
    meta: MetaTraining = field(default_factory=MetaTraining)
    folds: int = 4
    attention: bool = True
    residual: bool = True
    alphas: Sequence[float] = tuple(step / 20 for step in range(21))
    namings: Sequence[float] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)


class SynTrans:
    """Tang, He, Qin, "Connecting Giants", IJCAI 2025, as reconstructed here.

    Args:
        variant: "full"; "shuffled", the control with every class under another's vector; or
            "visual", the weight generator alone.
        parts: what it is made of.

    Raises:
        ValueError: unknown variant.
    """

    uses_teacher_images = False
    is_transductive = False
    uses_student = True
    selects = True
    uses_base_classes = True
    episodes = None

    def __init__(self, variant: Variant = "full", parts: SynTransSettings | None = None) -> None:
        if variant not in _NAMES:
            raise ValueError(f"SynTrans.variant must be one of {list(_NAMES)}, got {variant!r}")
        self.variant = variant
        self.parts = parts or SynTransSettings()
        self.name = _NAMES[variant]
        self.uses_text = variant != "visual"

    def settings(self) -> dict[str, object]:
        return {"variant": self.variant, **asdict(self.parts)}

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Fit on base classes; pick alpha, b and the use of stage 4 on validation episodes."""
        features = {
            split: F.normalize(arena.features[split].to(arena.device), dim=-1) for split in SPLITS
        }
        semantics = self._semantics(arena)
        bridges = self._bridges(arena, features["train"], semantics)
        start = self._classifier(arena, features["train"], bridges)
        candidates = [start]
        if self.parts.meta.iterations:
            candidates.append(self._meta_trained(arena, features, semantics, bridges, validation))

        def scores(classifier: MultimodalClassifier, split: str, episodes: Episodes) -> Scores:
            vectors = semantics[split] if semantics else None
            return episode_scores(classifier, features[split], bridged[split], vectors, episodes)

        bridged = {split: to_semantic(bridges, features[split]) for split in SPLITS[1:]}
        choice = select(
            [scores(candidate, "validation", validation) for candidate in candidates],
            validation,
            self.parts.alphas if semantics else (1.0,),
            self.parts.namings if semantics and self.parts.bridge.naming else (0.0,),
        )
        chosen = candidates[choice.candidate]

        def predict(episodes: Episodes) -> Tensor:
            return scores(chosen, "test", episodes).logits(choice.alpha, choice.naming)

        values = {"alpha": choice.alpha, "b": choice.naming}
        selected: dict[str, object] = {
            "values": {**values, "stage 4": "on" if choice.candidate else "off"},
            "split": "validation",
            "episodes": len(validation),
            "grid": {"alpha": list(self.parts.alphas), "b": list(self.parts.namings)},
        }
        return Predictor(predict, selected, "heads on base features")

    def _semantics(self, arena: Arena) -> dict[str, Tensor] | None:
        """Class vectors by split, centred with the mean of the base classes, normalised."""
        if self.variant == "visual":
            return None
        if arena.semantics is None:
            raise ValueError(f"{self.name} needs class vectors, and the arena has no semantics")
        shuffled = self.variant == "shuffled"
        bank = arena.semantics.shuffled(arena.seed) if shuffled else arena.semantics
        vectors = {
            split: F.normalize(bank.select(getattr(arena.data, split).class_names), dim=-1)
            for split in SPLITS
        }
        mean = vectors["train"].mean(0)
        return {
            split: F.normalize(each - mean, dim=-1).to(arena.device)
            for split, each in vectors.items()
        }

    def _folds(self, arena: Arena) -> list[list[int]]:
        return make_folds(len(arena.data.train.class_names), self.parts.folds, arena.seed)

    def _key(self, arena: Arena) -> dict[str, object]:
        return {
            "data": arena.data.fingerprint,
            "student": arena.student,
            "semantics": arena.semantics.digest if arena.semantics and self.uses_text else "",
            "variant": self.variant,
            "folds": self.parts.folds,
            "bridge": asdict(self.parts.bridge),
            "seed": arena.seed,
            "device": arena.device.type,
            "code": code_digest(*_CODE),
        }

    def _bridges(
        self, arena: Arena, features: Tensor, semantics: Mapping[str, Tensor] | None
    ) -> list[Bridge]:
        """One bridge a fold, cached together."""
        if semantics is None:
            return []

        def make() -> dict[str, Tensor]:
            fitted = fit_bridges(
                features,
                arena.data.train.labels.to(arena.device),
                semantics["train"],
                self._folds(arena),
                self.parts.bridge,
                seed=arena.seed,
                stage=f"{self.name}: fitting the bridge",
                progress=arena.progress,
            )
            return dict(torch.nn.ModuleList(fitted).state_dict())

        settings = self.parts.bridge
        bridges = torch.nn.ModuleList(
            Bridge(
                features.shape[1],
                semantics["train"].shape[1],
                settings.hidden,
                settings.dropout,
                settings.condition_on_visual,
            )
            for _ in range(self.parts.folds)
        )
        bridges.load_state_dict(arena.cache.get("bridges", self._key(arena), make))
        return list(bridges.to(arena.device).requires_grad_(False).eval())  # type: ignore[arg-type]

    def _classifier(
        self, arena: Arena, features: Tensor, bridges: Sequence[Bridge]
    ) -> MultimodalClassifier:
        """The classifier as it starts: plain mean, alpha 1/2, no correction."""
        classes = len(arena.data.train.class_names)
        memory = class_centres(features, arena.data.train.labels.to(arena.device), classes)
        generator = VisualWeightGenerator(memory, self.parts.attention)
        reconstructor = None
        if bridges:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(arena.seed)
                reconstructor = SemanticWeightReconstructor(
                    bridges, features.shape[1], bridges[0].semantic, residual=self.parts.residual
                )
        return MultimodalClassifier(generator, reconstructor).to(arena.device).eval()

    def _meta_trained(
        self,
        arena: Arena,
        features: Mapping[str, Tensor],
        semantics: Mapping[str, Tensor] | None,
        bridges: Sequence[Bridge],
        episodes: Episodes,
    ) -> MultimodalClassifier:
        """The classifier after stage 4, for the size of `episodes`; cached."""
        classifier = self._classifier(arena, features["train"], bridges)
        ways, shots = episodes.ways, episodes.shots

        def make() -> dict[str, Tensor]:
            iterations = self.parts.meta.iterations
            stage = f"{self.name}: meta-training, {shots}-shot"
            with arena.progress(stage, total=iterations, unit="step") as advance:
                meta_train(
                    classifier,
                    features["train"],
                    arena.data.train.labels.to(arena.device),
                    semantics["train"] if semantics else None,
                    self._folds(arena),
                    self.parts.meta,
                    ways=ways,
                    shots=shots,
                    seed=arena.seed,
                    advance=advance,
                )
            return classifier.state_dict()

        key = {
            **self._key(arena),
            "meta": asdict(self.parts.meta),
            "attention": self.parts.attention,
            "residual": self.parts.residual,
            "ways": ways,
            "shots": shots,
        }
        classifier.load_state_dict(arena.cache.get("classifiers", key, make))
        return classifier.requires_grad_(False).eval()
