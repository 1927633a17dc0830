"""Batched evaluation: the same episodes, in the same order, for every method."""

import torch
from torch import Tensor

from syntrans_l2l.evaluation.episodes import Episodes
from syntrans_l2l.evaluation.statistics import episode_accuracies
from syntrans_l2l.methods.base import Predict
from syntrans_l2l.progress import Progress, silent


@torch.no_grad()
def evaluate(
    predict: Predict,
    episodes: Episodes,
    *,
    batch_size: int = 100,
    progress: Progress = silent,
    stage: str = "evaluating",
) -> Tensor:
    """Accuracy of each episode in percent, [E] float64.

    Args:
        predict: episodes -> logits [e, N * Q, N].
        episodes: what to predict.
        batch_size: episodes at a time; a batch that stays in the processor's cache is faster
            than a large one.
        progress: draws the bar.
        stage: its name.

    Raises:
        ValueError: a logit is not finite, so that accuracies would mean nothing.
    """
    labels = episodes.query_labels()
    accuracies = []
    with progress(stage, total=len(episodes), unit="episode") as advance:
        for batch in episodes.batches(batch_size):
            logits = predict(batch).cpu()
            if not logits.isfinite().all():
                raise ValueError(f"{stage}: logits are not finite; did training diverge?")
            accuracies.append(episode_accuracies(logits, labels))
            advance(len(batch))
    return torch.cat(accuracies)
