"""What figures are drawn from: tensors that travel beside a record.

Nothing here selects anything: what test episodes show is reported and never fed back.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.statistics import episode_accuracies, mean_ci95
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix, Scores, fuse

_SHOWN = 3  # episodes that are kept whole
_WEIGHED = 40  # episodes whose weights are kept: ten weights a class for 20 classes


def of_answers(said: Tensor, episodes: Episodes, classes: int) -> dict[str, Tensor]:
    """Of any method: what classes were taken for which, and the first episodes whole.

    `confusion` [C, C] counts queries: rows are their classes, columns what they were taken for.
    Classes meet only where an episode holds both. `class_right` and `class_queries` [C] are its
    diagonal and the sums of its rows. `shown_support` and `shown_query` are rows of the test
    split's images.

    Args:
        said: which way each query was taken for, [E, N * Q].
        episodes: the test episodes.
        classes: C.
    """
    right = (said == episodes.query_labels()).unflatten(1, (episodes.ways, -1)).sum(-1)  # [E, N]
    drawn = episodes.class_ids.flatten()
    shown = episodes.first(_SHOWN)
    true = episodes.class_ids[:, episodes.query_labels()]  # [E, N * Q]
    pairs = true * classes + episodes.class_ids.gather(1, said)
    confusion = torch.bincount(pairs.flatten(), minlength=classes**2).view(classes, classes)
    return {
        "confusion": confusion.int(),
        "class_right": right.new_zeros(classes).index_add(0, drawn, right.flatten()),
        "class_queries": torch.bincount(drawn, minlength=classes) * episodes.queries,
        "shown_answers": said[:_SHOWN],
        "shown_classes": shown.class_ids,
        "shown_support": shown.support,
        "shown_query": shown.query,
    }


def alpha_curve(scores: Scores, episodes: Episodes, alphas: Tensor, mix: Mix) -> Tensor:
    """Mean accuracy in percent and its 95% CI for each alpha [A], the rest as in `mix`: [A, 2]."""
    labels = episodes.query_labels().to(scores.plain.visual.device)
    return torch.tensor(
        [
            mean_ci95(episode_accuracies(scores.logits(replace(mix, alpha=alpha)), labels))
            for alpha in alphas.tolist()
        ]
    )


@torch.no_grad()
def of_weights(
    classifier: MultimodalClassifier,
    features: Tensor,
    semantics: Tensor,
    episodes: Episodes,
    alpha: float,
) -> dict[str, Tensor]:
    """Normalised classifier weights of the first episodes, visual and multimodal: [e, N, D].

    Args:
        classifier: makes w_v and w_s.
        features: normalised features of the test split, [n, D].
        semantics: normalised vectors of its classes, [C, M].
        episodes: the test episodes.
        alpha: the share of w_v.
    """
    first = episodes.first(_WEIGHED)
    visual, semantic = classifier.weights(features[first.support], semantics[first.class_ids])
    assert semantic is not None
    return {
        "weight_classes": first.class_ids,
        "weights_visual": F.normalize(visual, dim=-1).half(),
        "weights_multimodal": fuse(visual, semantic, alpha).half(),
    }
