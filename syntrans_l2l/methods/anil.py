"""ANIL: MAML whose inner loop adapts the head only, on learn2learn's CNN4."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.methods.task_method import Answer, TaskMethod, adapted_logits


@dataclass(kw_only=True)
class Anil(TaskMethod):
    """Raghu et al., "Rapid learning or feature reuse?", ICLR 2020.

    BatchNorm uses the statistics of the batch at hand, as learn2learn's LightningANIL does, so
    the row is marked transductive. Second derivatives cost little in a single layer and stay.

    Args:
        training: the outer loop.
        adaptation_rate: of the inner SGD.
        adaptation_steps: inner steps, in training and at test.
    """

    adaptation_rate: float = 0.1
    adaptation_steps: int = 5

    name = "anil"
    title = "ANIL"
    is_transductive = True
    fixed_ways = True
    tasks = "tasks (second order in the head)"

    def learner(self, network: Any) -> tuple[nn.Module, Answer]:
        network.classifier = learn2learn().algorithms.MAML(
            network.classifier, lr=self.adaptation_rate
        )

        def answer(support: Tensor, query: Tensor) -> Tensor:
            shots = support.shape[1]
            both = torch.cat([support, query], dim=1)  # [N, K + Q, 3, H, W]
            features = network.features(both.flatten(0, 1)).unflatten(0, both.shape[:2])
            head = network.classifier.clone()
            return adapted_logits(
                head, features[:, :shots], features[:, shots:], self.adaptation_steps
            )

        return network, answer
