"""SimpleShot: nearest class mean after centring on the base classes."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import batched_logits
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.methods.protonet import euclidean_logits


@dataclass(frozen=True)
class SimpleShot(Method):
    """Wang et al., "SimpleShot: revisiting nearest-neighbor classification", 2019, as CL2N.

    Features lose the mean of all base images, are scaled to unit length, and go to the nearest
    mean of the shots by Euclidean distance.
    """

    name = "simpleshot"
    title = "SimpleShot"
    uses_base_classes = True

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        mean = arena.features["train"].to(arena.device).mean(0)
        features = F.normalize(arena.features["test"].to(arena.device) - mean, dim=-1)

        def predict(episodes: Episodes) -> Tensor:
            return batched_logits(euclidean_logits, features, episodes)

        return Predictor(predict)
