"""Batched evaluation: the same episodes, in the same order, for every method."""

import torch
from torch import Tensor

from syntrans_l2l.evaluation.episodes import Episodes
from syntrans_l2l.evaluation.statistics import percent_right
from syntrans_l2l.methods.base import Predict
from syntrans_l2l.progress import Progress, silent


@torch.no_grad()
def answers(
    predict: Predict,
    episodes: Episodes,
    *,
    batch_size: int = 100,
    progress: Progress = silent,
    stage: str = "evaluating",
) -> Tensor:
    """Which of the N ways each query is taken for, [E, N * Q].

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
    said = []
    with progress(stage, total=len(episodes), unit="episode") as advance:
        for batch in episodes.batches(batch_size):
            logits = predict(batch).cpu()
            if not logits.isfinite().all():
                raise ValueError(f"{stage}: logits are not finite; did training diverge?")
            said.append(logits.argmax(-1))
            advance(len(batch))
    return torch.cat(said)


def evaluate(
    predict: Predict,
    episodes: Episodes,
    *,
    batch_size: int = 100,
    progress: Progress = silent,
    stage: str = "evaluating",
) -> Tensor:
    """Accuracy of each episode in percent, [E] float64; arguments as for `answers`."""
    said = answers(predict, episodes, batch_size=batch_size, progress=progress, stage=stage)
    return percent_right(said, episodes.query_labels())
