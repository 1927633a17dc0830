"""Stages 3 and 4: bridges and classifiers, fitted on arrays and kept in a cache if there is one."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.algorithms.class_vectors import base_mean, centre
from syntrans_l2l.algorithms.labelled_features import LabelledFeatures
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.cache import Cache
from syntrans_l2l.code import code_digest
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.networks.whitening import WhitenedView
from syntrans_l2l.seeds import derived, seeded
from syntrans_l2l.training.bridge import class_centres, fit_bridges, make_folds
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.meta import meta_train
from syntrans_l2l.training.whitening import fit_whitened_view


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Stages 3 and 4 on the base classes.

    Args:
        base: what they are fitted on; without class vectors the classifier is visual.
        settings: what SynTrans is made of.
        job: seed, device and bars.
        cache: where finished stages are kept; None keeps none.
    """

    base: LabelledFeatures
    settings: SynTransSettings
    job: Job
    cache: Cache | None = None

    @cached_property
    def features(self) -> Tensor:
        """n(z) of the base images, [n, D], on the device."""
        return F.normalize(self.base.features.to(self.job.device), dim=-1)

    @cached_property
    def mean(self) -> Tensor | None:
        """Of the base classes' normalised vectors, [M]."""
        return None if self.base.class_vectors is None else base_mean(self.base.class_vectors)

    @cached_property
    def folds(self) -> list[list[int]]:
        """The base classes of each fold of cross-fitting."""
        return make_folds(
            len(self.base.class_names), self.settings.folds, derived(self.job.seed, "folds")
        )

    def left_out(self) -> Tensor:
        """For each base class the fold whose bridge has not seen it, [B]."""
        left_out = torch.zeros(len(self.base.class_names), dtype=torch.int64)
        for number, fold in enumerate(self.folds):
            left_out[fold] = number
        return left_out

    def centred(self, vectors: Tensor | None) -> Tensor | None:
        """Class vectors [C, M] as the networks take them, on the device."""
        if vectors is None or self.mean is None:
            return None
        return centre(vectors, self.mean).to(self.job.device)

    @cached_property
    def bridges(self) -> list[Bridge]:
        """Stage 3: one bridge a fold, cached together; none for a visual classifier."""
        semantics, settings = self._semantics, self.settings.bridge
        if semantics is None:
            return []

        def make() -> dict[str, Tensor]:
            fitted = fit_bridges(
                self.features,
                self._labels,
                semantics,
                self.folds,
                settings,
                seed=self.job.seed,
                stage="fitting the bridge",
                progress=self.job.progress,
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
            for _ in range(self.settings.folds)
        ]
        together = nn.ModuleList(bridges)
        together.load_state_dict(self.kept("bridges", {}, make))
        together.to(self.job.device).requires_grad_(False).eval()
        return bridges

    @cached_property
    def view(self) -> WhitenedView | None:
        """The whitened view, cached; None where it cannot be chosen."""
        settings, semantics = self.settings, self._semantics
        if not settings.whitens:
            return None

        def make() -> dict[str, Tensor]:
            fitted = fit_whitened_view(
                self.features,
                self._labels,
                semantics,
                classes=len(self.base.class_names),
                shrinkage=settings.shrinkage,
                penalty=settings.penalty,
            )
            return dict(fitted.state_dict())

        view = WhitenedView(self.features.shape[1], 0 if semantics is None else semantics.shape[1])
        key: dict[str, object] = {"shrinkage": settings.shrinkage, "penalty": settings.penalty}
        view.load_state_dict(self.kept("views", key, make))
        return view.to(self.job.device).requires_grad_(False).eval()

    def initial(self) -> MultimodalClassifier:
        """The classifier as stage 4 finds it: plain mean, alpha 1/2, no correction."""
        memory = class_centres(self.features, self._labels, len(self.base.class_names))
        generator = VisualWeightGenerator(memory, self.settings.attention)
        reconstructor = None
        if self.bridges:
            with seeded(derived(self.job.seed, "reconstructor")):
                reconstructor = SemanticWeightReconstructor(
                    self.bridges,
                    self.features.shape[1],
                    self.bridges[0].semantic_dim,
                    residual=self.settings.residual,
                )
        return MultimodalClassifier(generator, reconstructor).to(self.job.device).eval()

    def meta_trained(self, *, ways: int, shots: int) -> MultimodalClassifier:
        """The classifier after stage 4, for episodes of this size; cached."""
        classifier = self.initial()

        def make() -> dict[str, Tensor]:
            iterations = self.settings.meta.iterations
            stage = f"meta-training, {shots}-shot"
            with self.job.progress(stage, total=iterations, unit="step") as advance:
                meta_train(
                    classifier,
                    self.features,
                    self._labels,
                    self._semantics,
                    self.folds,
                    self.settings.meta,
                    ways=ways,
                    shots=shots,
                    seed=derived(self.job.seed, "stage 4"),
                    advance=advance,
                )
            return classifier.state_dict()

        key = self.meta_key(ways=ways, shots=shots)
        classifier.load_state_dict(self.kept("classifiers", key, make))
        return classifier.requires_grad_(False).eval()

    def candidate(self, place: int, *, ways: int, shots: int) -> MultimodalClassifier:
        """The classifier before (0) or after (1) stage 4."""
        return self.meta_trained(ways=ways, shots=shots) if place else self.initial()

    @property
    def candidates(self) -> list[str]:
        """What stage 4 is chosen from."""
        return ["off", "on"] if self.settings.meta.iterations else ["off"]

    def meta_key(self, *, ways: int, shots: int) -> dict[str, object]:
        """What determines the classifiers besides stage 3, for cache keys."""
        return {
            "meta": asdict(self.settings.meta),
            "attention": self.settings.attention,
            "residual": self.settings.residual,
            "ways": ways,
            "shots": shots,
        }

    def kept(
        self, kind: str, key: dict[str, object], make: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """What `make` gives, from the cache where it is there; `key` holds what stage 3 has not."""
        return make() if self.cache is None else self.cache.get(kind, {**self._key, **key}, make)

    @cached_property
    def _key(self) -> dict[str, object]:
        return {
            "base": self.base.digest,
            "folds": self.settings.folds,
            "bridge": self.settings.bridge.key(self.job.device),
            "seed": self.job.seed,
            "device": self.job.device.type,
            "code": code_digest(__name__, "syntrans_l2l.algorithms.class_vectors"),
        }

    @cached_property
    def _labels(self) -> Tensor:
        return self.base.labels.to(self.job.device)

    @cached_property
    def _semantics(self) -> Tensor | None:
        return self.centred(self.base.class_vectors)
