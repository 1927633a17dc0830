"""ProtoNet as its authors train it: on episodes, here with learn2learn's CNN4."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from syntrans_l2l.methods.protonet import euclidean_logits
from syntrans_l2l.methods.task_method import Answer, TaskMethod


@dataclass(kw_only=True)
class EpisodicProtoNet(TaskMethod):
    """Snell et al., "Prototypical networks for few-shot learning", NeurIPS 2017.

    Logits are minus the squared Euclidean distances to the means of the shots. The authors train
    with more ways than they test; here the ways are 20 for every number of shots, with
    `TaskTraining.queries` queries a class. At test BatchNorm is in eval mode, so the row is
    inductive.

    Args:
        training: the outer loop.
        train_ways: N of the training episodes; 0 takes that of the test.
    """

    train_ways: int = 20

    name = "episodic_protonet"
    title = "ProtoNet, trained on episodes"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fixed_ways = not self.train_ways

    @property
    def tasks(self) -> str:
        return f"{self.train_ways}-way tasks" if self.train_ways else "tasks"

    def training_ways(self, ways: int) -> int:
        return self.train_ways or ways

    def learner(self, network: Any) -> tuple[nn.Module, Answer]:
        encoder: nn.Module = network.features

        def answer(support: Tensor, query: Tensor) -> Tensor:
            shots = support.flatten(0, 1)
            features = encoder(torch.cat([shots, query.flatten(0, 1)]))  # [N * (K + Q), D]
            near, far = features[: len(shots)], features[len(shots) :]
            return euclidean_logits(near.unflatten(0, support.shape[:2])[None], far[None])[0]

        return encoder, answer
