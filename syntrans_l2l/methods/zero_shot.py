"""Zero-shot classification by class vectors: what the text knows without any support image."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from syntrans_l2l.algorithms.scoring import class_cosines
from syntrans_l2l.algorithms.selection import choose, selected
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Method, Predictor
from syntrans_l2l.methods.class_vectors import ridge_weights, shared_vectors
from syntrans_l2l.semantics.bank import SemanticBank


@dataclass(kw_only=True)
class ZeroShot(Method):
    """The nearest class vector by cosine.

    Source: Radford et al., "Learning transferable visual models from natural language
    supervision", ICML 2021, for an encoder whose space the text shares: a CLIP, or one that stage
    1 has taught, through its projection. For another encoder, a ridge regression on base classes
    carries the vectors over: our adaptation.

    Args:
        shared_space: whether encoder and class vectors come from one CLIP, or the encoder was
            taught by the CLIP whose text there is.
        penalties: the grid of the ridge, picked on validation episodes.
    """

    shared_space: bool = True
    penalties: Sequence[float] = (1.0, 0.1, 10.0)

    uses_text = True

    def __post_init__(self) -> None:
        self.uses_base_classes = not self.shared_space
        self.selects = not self.shared_space
        self.name = "zero_shot" if self.shared_space else "zero_shot_ridge"

    @property
    def title(self) -> str:
        return "Zero-shot" if self.shared_space else "Zero-shot (ridge)"

    def texts(self, arena: Arena) -> list[SemanticBank]:
        aligned = arena.aligned_text if self.shared_space else None
        return super().texts(arena) if aligned is None else [aligned]

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Look the class vectors up, or fit the ridge.

        Raises:
            ValueError: no semantics, or class vectors of another width than the features.
        """
        features = arena.shared_features() if self.shared_space else arena.unit_features()
        chosen: dict[str, object] = {}
        if self.shared_space:
            weights = shared_vectors(arena, self.name)["test"]
        else:
            tried = {
                penalty: ridge_weights(arena, self.name, penalty) for penalty in self.penalties
            }
            best = choose(
                self.penalties,
                lambda p: class_cosines(features["validation"], tried[p]["validation"], validation),
                validation,
            )
            weights = tried[best]["test"]
            grid: dict[str, object] = {"penalty": list(self.penalties)}
            chosen = selected({"penalty": best}, grid, validation)

        def predict(episodes: Episodes) -> Tensor:
            return class_cosines(features["test"], weights, episodes)

        return Predictor(predict, chosen)
