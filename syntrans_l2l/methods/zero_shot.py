"""Zero-shot classification by class vectors: what the text knows without any support image."""

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.evaluation.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor


class ZeroShot:
    """The nearest class vector by cosine; it needs an encoder whose space the text shares.

    Source: Radford et al., "Learning transferable visual models from natural language
    supervision", ICML 2021.
    """

    name = "zero_shot"
    uses_text = True
    uses_teacher_images = False
    is_transductive = False
    uses_student = True
    selects = False
    uses_base_classes = False
    episodes = None

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Look the class vectors up.

        Raises:
            ValueError: no semantics, or class vectors of another width than the features.
        """
        if arena.semantics is None:
            raise ValueError(f"{self.name} needs class vectors, and the arena has no semantics")
        features = F.normalize(arena.features["test"], dim=-1)
        vectors = F.normalize(arena.semantics.select(arena.data.test.class_names), dim=-1)
        if vectors.shape[1] != features.shape[1]:
            raise ValueError(
                f"{arena.student_name} gives features of width {features.shape[1]}, and "
                f"{arena.semantics.source} class vectors of width {vectors.shape[1]}; encode "
                "the text with the same teacher"
            )

        def predict(episodes: Episodes) -> Tensor:
            queries = features[episodes.query.flatten(1, 2)]  # [E, N * Q, M]
            return torch.einsum("eqm,enm->eqn", queries, vectors[episodes.class_ids])

        return Predictor(predict)

    def settings(self) -> dict[str, object]:
        return {}
