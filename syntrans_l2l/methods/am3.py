"""AM3: a gate that decides for each class how much its text counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from syntrans_l2l.algorithms.selection import choose, selected
from syntrans_l2l.code import code_digest
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Method, Predictor, check_training_episodes
from syntrans_l2l.methods.class_vectors import centred_vectors, required_bank
from syntrans_l2l.networks.adaptive_prototypes import AdaptivePrototypes
from syntrans_l2l.training.am3 import QUERIES, train_am3


@dataclass(frozen=True, kw_only=True)
class Am3(Method):
    """Xing et al., "Adaptive cross-modal few-shot learning", NeurIPS 2019, on frozen features.

    Args:
        hidden: width of both networks.
        learning_rate: of Adam.
        steps: where to stop, a rising grid; picked on validation episodes.
    """

    hidden: int = 300
    learning_rate: float = 1e-3
    steps: Sequence[int] = (50, 100, 200, 400, 800)

    name = "am3"
    title = "AM3"
    uses_text = True
    selects = True
    uses_base_classes = True

    def check(self, base: Mapping[str, int], *, ways: int, shots: int) -> None:
        check_training_episodes(self, base, ways=ways, shots=shots, queries=QUERIES)

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Train on episodes of base classes; pick where to stop.

        Raises:
            ValueError: no semantics.
        """
        features = arena.unit_features()
        vectors = centred_vectors(arena.data, required_bank(arena, self.name), arena.device)
        networks = self._networks(arena, features["train"], vectors["train"], validation)

        @torch.no_grad()
        def logits(step: int, split: str, episodes: Episodes) -> Tensor:
            parts = []
            for batch in episodes.batches(200):
                query = features[split][batch.query].flatten(1, 2)
                semantic = vectors[split][batch.class_ids]
                parts.append(networks[step](features[split][batch.support], query, semantic))
            return torch.cat(parts)

        best = choose(self.steps, lambda step: logits(step, "validation", validation), validation)
        chosen = selected({"steps": best}, {"steps": list(self.steps)}, validation)
        return Predictor(lambda e: logits(best, "test", e), chosen, "a head on base features")

    def _networks(
        self, arena: Arena, features: Tensor, vectors: Tensor, size: Episodes
    ) -> dict[int, AdaptivePrototypes]:
        """The network after each number of steps, cached together."""

        def train() -> nn.ModuleDict:
            labels, stage = arena.data.train.labels.to(arena.device), f"AM3, {size.shots}-shot"
            with arena.progress(stage, total=max(self.steps), unit="step") as advance:
                reached = train_am3(features, labels, vectors, hidden=self.hidden,
                                    learning_rate=self.learning_rate, steps=self.steps,
                                    ways=size.ways, shots=size.shots, seed=arena.seed,
                                    advance=advance)  # fmt: skip
            return nn.ModuleDict({str(step): network for step, network in reached.items()})

        def build() -> nn.ModuleDict:
            sizes = features.shape[1], vectors.shape[1], self.hidden
            return nn.ModuleDict({str(step): AdaptivePrototypes(*sizes) for step in self.steps})

        code = {"ways": size.ways, "shots": size.shots, "code": code_digest(__name__)}
        key = {**arena.key(uses_text=True), **self.settings(), **code}
        together = arena.cache.module("am3", key, build, train).to(arena.device)
        return {step: cast(AdaptivePrototypes, together[str(step)]) for step in self.steps}
