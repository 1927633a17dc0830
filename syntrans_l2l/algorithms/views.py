"""How a SynTrans sees images: by its encoder, and by what the parts of a logit make of that."""

from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.algorithms.labelled_features import Aligned
from syntrans_l2l.algorithms.scoring import Given, Whitened, to_semantic
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix
from syntrans_l2l.networks.whitening import WhitenedView

Own = TypeVar("Own", bound="Views")


class Views(nn.Module):
    """The half of `SynTrans` that sees images.

    Attributes:
        module: the encoder f, [n, ...] -> [n, D].
        view: the whitened view; None where it has no weight.
        projection: features of the encoder, [n, D], into the space that images and text share,
            [n, A]; see `set_projection_`.
    """

    module: nn.Module
    view: WhitenedView | None
    projection: nn.Module | None
    classifier: MultimodalClassifier
    mean: Tensor

    @property
    def mix(self) -> Mix:
        """The weights of the parts; those of weight 0 are not made."""
        raise NotImplementedError

    def set_encoder_(self: Own, features: nn.Module) -> Own:
        """Replace the encoder in place: for tasks of its inputs, and not of its features."""
        self.module = features.to(self.mean.device).train(self.training)
        return self

    def set_projection_(self: Own, projection: nn.Module) -> Own:
        """Say how features get into the space that images and text share, in place.

        Needed where the aligned part has a weight: stage 1's P, or `nn.Identity()` where the
        encoder's own features lie in that space, as CLIP's do.

        Args:
            projection: features as the encoder gives them, [n, D] -> [n, A].
        """
        self.projection = projection.to(self.mean.device).train(self.training)
        return self

    def _seen(self, inputs: Tensor) -> Given:
        """Images as the parts of a logit see them that have a weight."""
        embedded, mix = self._embed(inputs), self.mix
        features = F.normalize(embedded, dim=-1)  # [n, D]
        bridged = whitened = aligned = None
        if mix.semantic_weight:
            bridged = to_semantic(self.classifier.bridges, features)
        if mix.whitened_weight and self.view is not None:
            whitened = Whitened(self.view(features), None)
        if mix.aligned_weight and self.projection is not None:
            aligned = Aligned(F.normalize(self.projection(embedded), dim=-1), None)
        return Given(features, bridged, whitened=whitened, aligned=aligned)

    def _embed(self, inputs: Tensor) -> Tensor:
        """f(x), not normalised: [n, ...] -> [n, D]."""
        features: Tensor = self.module(inputs)
        width = self.classifier.generator.memory.shape[1]
        if features.ndim != 2 or features.shape[1] != width:
            raise ValueError(
                f"features={type(self.module).__name__} gives {list(features.shape)}, and bridge "
                f"and classifier take [n, {width}]; pass features= the encoder of their training"
            )
        return features
