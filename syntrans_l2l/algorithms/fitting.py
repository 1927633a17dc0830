"""Stages 3 and 4 in an arena: bridges and classifiers, fitted once and cached."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from syntrans_l2l.code import code_digest
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.training.bridge import BridgeTraining, class_centres, fit_bridges, make_folds
from syntrans_l2l.training.meta import MetaTraining, meta_train


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


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Stages 3 and 4 for one variant.

    Args:
        arena: data, and where finished stages are kept.
        parts: what SynTrans is made of.
        features: normalised base features, [n, D], on the arena's device.
        semantics: centred vectors of the base classes, [B, M]; None for a visual classifier.
        variant: what the cache and the bars call it.
    """

    arena: Arena
    parts: SynTransSettings
    features: Tensor
    semantics: Tensor | None
    variant: str

    @property
    def folds(self) -> list[list[int]]:
        """The base classes of each fold of cross-fitting."""
        classes = len(self.arena.data.train.class_names)
        return make_folds(classes, self.parts.folds, self.arena.seed)

    @cached_property
    def bridges(self) -> list[Bridge]:
        """Stage 3: one bridge a fold, cached together; none for a visual classifier."""
        semantics, settings = self.semantics, self.parts.bridge
        if semantics is None:
            return []

        def make() -> dict[str, Tensor]:
            fitted = fit_bridges(
                self.features,
                self._labels,
                semantics,
                self.folds,
                settings,
                seed=self.arena.seed,
                stage=f"{self.variant}: fitting the bridge",
                progress=self.arena.progress,
            )
            return dict(nn.ModuleList(fitted).state_dict())

        bridges = [
            Bridge(
                self.features.shape[1],
                semantics.shape[1],
                settings.hidden,
                settings.dropout,
                settings.condition_on_visual,
            )
            for _ in range(self.parts.folds)
        ]
        together = nn.ModuleList(bridges)
        together.load_state_dict(self.arena.cache.get("bridges", self._key(), make))
        together.to(self.arena.device).requires_grad_(False).eval()
        return bridges

    def initial(self) -> MultimodalClassifier:
        """The classifier as stage 4 finds it: plain mean, alpha 1/2, no correction."""
        classes = len(self.arena.data.train.class_names)
        memory = class_centres(self.features, self._labels, classes)
        generator = VisualWeightGenerator(memory, self.parts.attention)
        reconstructor = None
        if self.bridges:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.arena.seed)
                reconstructor = SemanticWeightReconstructor(
                    self.bridges,
                    self.features.shape[1],
                    self.bridges[0].semantic,
                    residual=self.parts.residual,
                )
        return MultimodalClassifier(generator, reconstructor).to(self.arena.device).eval()

    def meta_trained(self, *, ways: int, shots: int) -> MultimodalClassifier:
        """The classifier after stage 4, for episodes of this size; cached."""
        classifier = self.initial()

        def make() -> dict[str, Tensor]:
            iterations = self.parts.meta.iterations
            stage = f"{self.variant}: meta-training, {shots}-shot"
            with self.arena.progress(stage, total=iterations, unit="step") as advance:
                meta_train(
                    classifier,
                    self.features,
                    self._labels,
                    self.semantics,
                    self.folds,
                    self.parts.meta,
                    ways=ways,
                    shots=shots,
                    seed=self.arena.seed,
                    advance=advance,
                )
            return classifier.state_dict()

        key = {
            **self._key(),
            "meta": asdict(self.parts.meta),
            "attention": self.parts.attention,
            "residual": self.parts.residual,
            "ways": ways,
            "shots": shots,
        }
        classifier.load_state_dict(self.arena.cache.get("classifiers", key, make))
        return classifier.requires_grad_(False).eval()

    @property
    def _labels(self) -> Tensor:
        return self.arena.data.train.labels.to(self.arena.device)

    def _key(self) -> dict[str, object]:
        return {
            **self.arena.key(uses_text=self.semantics is not None),
            "variant": self.variant,
            "folds": self.parts.folds,
            "bridge": self.parts.bridge.key(self.arena.device),
            "code": code_digest(__name__, "syntrans_l2l.algorithms.class_vectors"),
        }
