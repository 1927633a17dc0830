"""learn2learn's CNN4, as rows on images train it: pixels of any size, mixed precision."""

from typing import Any

import torch
from torch import Tensor, nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.task_training import TaskTraining
from syntrans_l2l.seeds import seeded
from syntrans_l2l.training.precision import autocast, resolve


def cnn4(arena: Arena, ways: int, training: TaskTraining) -> nn.Module:
    """learn2learn's CNN4 for the arena's images, with its `features` and its `classifier`."""
    pooled = arena.data.train.images.shape[-1] // 16  # four poolings by two
    with seeded(arena.seed):
        network: nn.Module = learn2learn().vision.models.CNN4(
            ways,
            hidden_size=training.hidden_size,
            embedding_size=pooled * pooled * training.hidden_size,
        )
    network.features = _Convolutions(network.features, resolve(training.precision, arena.device))
    # channels last: a CPU convolves and pools in about 70% of the time
    return network.to(arena.device).to(memory_format=torch.channels_last)


class _Convolutions(nn.Module):
    """A network's convolutions in `dtype`; features come out in float32, for heads and losses."""

    def __init__(self, network: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype

    def forward(self, images: Tensor) -> Tensor:
        with autocast(self.dtype, images.device):
            features: Tensor = self.network(images)
        return features.float()
