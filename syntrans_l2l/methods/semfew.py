"""SemFew's alignment: a network from class vector and features to the class centre."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from syntrans_l2l.algorithms.selection import choose, selected
from syntrans_l2l.code import code_digest
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.methods.class_vectors import centred_vectors, required_bank
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.fusion import Mix, Scores, fused_cosines
from syntrans_l2l.training.bridge import BridgeTraining, fit_bridge


@dataclass(frozen=True, kw_only=True)
class SemFew(Method):
    """Zhang et al., "Simple semantic-aided few-shot learning", CVPR 2024.

    h([s; z]), two layers with LeakyReLU, learns the class centre by an L1 loss on all base
    classes; the prototype is k h([s; u]) + (1 - k) u, with u the mean of the shots and both
    sides normalised, and queries go to the nearest by cosine.

    Args:
        training: of h; its other direction stays untrained.
        shares: the grid of k, picked on validation episodes.
    """

    training: BridgeTraining = field(default_factory=lambda: BridgeTraining(both_ways=False))
    shares: Sequence[float] = tuple(step / 20 for step in range(21))

    name = "semfew"
    title = "SemFew"
    uses_text = True
    selects = True
    uses_base_classes = True

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Fit h on base classes and pick k.

        Raises:
            ValueError: no semantics.
        """
        vectors = centred_vectors(arena.data, required_bank(arena, self.name), arena.device)
        features = arena.unit_features()
        align = self._aligned(arena, features["train"], vectors["train"])

        @torch.no_grad()
        def scores(split: str, episodes: Episodes) -> Scores:
            parts = []
            for batch in episodes.batches(200):
                mean = features[split][batch.support].mean(2)  # u, [e, N, D]
                made = align.to_visual(vectors[split][batch.class_ids], mean)
                query = features[split][batch.query].flatten(1, 2)
                parts.append(Scores(fused_cosines(query, mean, made)))
            return Scores.concatenate(parts)

        tried = scores("validation", validation)
        shares = [0.0, *self.shares]
        share = choose(shares, lambda value: tried.logits(Mix(1.0 - value)), validation)
        grid: dict[str, object] = {"k": list(self.shares)}
        chosen = selected({"k": share}, grid, validation)

        def predict(episodes: Episodes) -> Tensor:
            return scores("test", episodes).logits(Mix(1.0 - share))

        return Predictor(predict, chosen, "a head on base features")

    def _aligned(self, arena: Arena, features: Tensor, vectors: Tensor) -> Bridge:
        """h, as the semantic-to-visual half of a bridge; cached."""

        def train() -> Bridge:
            stage = f"{self.name}: fitting the alignment"
            total = self.training.epochs * len(features)
            with arena.progress(stage, total=total, unit="img") as advance:
                labels, classes = arena.data.train.labels.to(arena.device), range(len(vectors))
                return fit_bridge(features, labels, vectors, classes, self.training,
                                    seed=arena.seed, advance=advance)  # fmt: skip

        settings = {"training": self.training.key(arena.device), "code": code_digest(__name__)}
        key = {**arena.key(uses_text=True), **settings}
        build = partial(
            Bridge,
            features.shape[1],
            vectors.shape[1],
            self.training.hidden,
            self.training.dropout,
            self.training.condition_on_visual,
        )
        return arena.cache.module("alignments", key, build, train).to(arena.device)
