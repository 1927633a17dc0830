"""The visual weight generator: classifier weights from support features and base classes."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class VisualWeightGenerator(nn.Module):
    """w_v = phi_avg * mean_k n(z_k) + phi_att * mean_k attention over base-class weights.

    Source: Gidaris & Komodakis (CVPR 2018); its use in SynTrans is our reconstruction. It
    starts as the plain mean: phi_avg = 1, phi_att = 0.

    Args:
        memory: normalised weights of the base classes, [B, D].
        attention: without it, the generator is the mean of the shots and has no parameters.
    """

    memory: Tensor

    def __init__(self, memory: Tensor, attention: bool = True) -> None:
        super().__init__()
        self.attention = attention
        self.register_buffer("memory", memory)
        if attention:
            width = memory.shape[1]
            self.phi_avg = nn.Parameter(torch.ones(width))
            self.phi_att = nn.Parameter(torch.zeros(width))
            self.query = nn.Parameter(torch.eye(width))
            self.keys = nn.Parameter(memory.clone())
            self.gamma = nn.Parameter(torch.tensor(10.0))

    def forward(self, support: Tensor, own: Tensor | None = None) -> Tensor:
        """Weights [E, N, D], not normalised, of support features n(z) [E, N, K, D].

        Args:
            support: normalised features.
            own: the episode's base classes [E, N] in meta-training, which attention must not
                see: they are removed from the memory. None where the classes are novel.

        Raises:
            ValueError: the episode's base classes are all that the memory holds.
        """
        average = support.mean(2)
        if not self.attention:
            return average
        scores = (
            self.gamma
            * F.normalize(support @ self.query, dim=-1)
            @ (F.normalize(self.keys, dim=-1).T)
        )  # [E, N, K, B]
        if own is not None:
            self._check_others(own)
            scores = scores.masked_fill(self._is_own(own), float("-inf"))
        attended = scores.softmax(-1).mean(2) @ self.memory  # [E, N, D]
        return self.phi_avg * average + self.phi_att * attended

    def _check_others(self, own: Tensor) -> None:
        if own.shape[1] >= len(self.memory):
            raise ValueError(
                f"{own.shape[1]}-way episodes of {len(self.memory)} base classes leave attention "
                "no other class; lower the ways, or set SynTransSettings.attention = False"
            )

    def _is_own(self, own: Tensor) -> Tensor:
        """[E, N] class ids -> [E, 1, 1, B], true at the classes of the episode."""
        classes = len(self.memory)
        return F.one_hot(own, classes).sum(1).bool()[:, None, None, :]
