"""Batched evaluation: the same episodes, in the same order, for every method."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.statistics import percent_right
from syntrans_l2l.progress import Progress, silent

Predict = Callable[[Episodes], Tensor]  # logits [E, N * Q, N] of test episodes

_STREAMED = 1000  # episodes looked at together: quicker than 100, and no bar waits for them


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
        batch_size: episodes at a time, of what `predict` may divide further.
        progress: draws the bar.
        stage: its name.

    Raises:
        ValueError: logits of another shape, or not finite, so that accuracies would mean nothing.
    """
    said = []
    with progress(stage, total=len(episodes), unit="episode") as advance:
        for batch in episodes.batches(batch_size):
            logits = predict(batch).cpu()
            shape = len(batch), batch.ways * batch.queries, batch.ways
            if logits.shape != shape:
                raise ValueError(
                    f"{stage}: logits must be [E, N * Q, N] = {list(shape)}, got "
                    f"{list(logits.shape)}"
                )
            if not logits.isfinite().all():
                raise ValueError(f"{stage}: logits are not finite; did training diverge?")
            said.append(logits.argmax(-1))
            advance(len(batch))
    return torch.cat(said)


def stream_accuracies(
    predicts: Mapping[str, Predict], batches: Iterable[Episodes]
) -> dict[str, Tensor]:
    """Accuracy of each episode in percent, [E] float64, for each predictor by its name.

    Args:
        predicts: each sees the same episodes, in the same order.
        batches: episodes as they come: none is kept, so that their number is not bounded by memory.

    Raises:
        ValueError: a logit is not finite.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in predicts}
    for episodes in batches:
        labels = episodes.query_labels()
        for name, predict in predicts.items():
            said = answers(predict, episodes, batch_size=_STREAMED, stage=name)
            found[name].append(percent_right(said, labels))
    return {name: torch.cat(parts) for name, parts in found.items()}
