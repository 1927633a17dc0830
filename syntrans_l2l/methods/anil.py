"""ANIL: MAML whose inner loop adapts the head alone, on learn2learn's CNN4."""

from dataclasses import asdict
from typing import Any, cast

import torch
from torch import Tensor

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.methods.task_training import TaskTraining, adapted_logits, cnn4, run_on_tasks


class Anil:
    """Raghu et al., "Rapid learning or feature reuse?", ICLR 2020.

    BatchNorm uses the statistics of the batch at hand, as learn2learn's LightningANIL does, so
    the row is marked transductive. Second derivatives cost little in a single layer and stay.

    Args:
        training: the outer loop.
        adaptation_rate: of the inner SGD.
        adaptation_steps: inner steps, in training and at test.
    """

    name = "anil"
    uses_text = False
    uses_teacher_images = False
    is_transductive = True
    uses_student = False
    selects = False
    uses_base_classes = True

    def __init__(
        self,
        *,
        training: TaskTraining | None = None,
        adaptation_rate: float = 0.1,
        adaptation_steps: int = 5,
    ) -> None:
        self.training = training or TaskTraining()
        self.adaptation_rate = adaptation_rate
        self.adaptation_steps = adaptation_steps
        self.episodes: int | None = self.training.episodes

    def settings(self) -> dict[str, object]:
        return {
            "adaptation_rate": self.adaptation_rate,
            "adaptation_steps": self.adaptation_steps,
            "training": asdict(self.training),
        }

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        network = cast(Any, cnn4(arena, validation.ways, self.training))
        network.classifier = learn2learn().algorithms.MAML(
            network.classifier, lr=self.adaptation_rate
        )

        def answer(support: Tensor, query: Tensor) -> Tensor:
            both = torch.cat([support, query], dim=1)  # [N, K + Q, 3, H, W]
            features = network.features(both.flatten(0, 1)).unflatten(0, both.shape[:2])
            shots = support.shape[1]
            return adapted_logits(
                network.classifier.clone(),
                features[:, :shots],
                features[:, shots:],
                self.adaptation_steps,
            )

        return run_on_tasks(
            arena,
            validation,
            method=self,
            training=self.training,
            module=network,
            answer=answer,
            note="second order in the head",
        )
