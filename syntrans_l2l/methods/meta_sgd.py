"""Meta-SGD: learn2learn's algorithm on learn2learn's CNN4, trained from scratch on base tasks."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.methods.task_method import Answer, TaskMethod, adapted_logits


@dataclass(kw_only=True)
class MetaSgd(TaskMethod):
    """Li et al., "Meta-SGD: learning to learn quickly for few-shot learning", 2017.

    MAML with a learned rate for each weight, and one inner step. BatchNorm uses the statistics
    of the batch at hand, as MAML's does, so the row is marked transductive.

    Args:
        training: the outer loop.
        first_order: drop second derivatives.
        adaptation_rate: where the learned rates start.
    """

    first_order: bool = False
    adaptation_rate: float = 0.1

    name = "meta_sgd"
    title = "Meta-SGD"
    is_transductive = True
    fixed_ways = True

    @property
    def tasks(self) -> str:
        return f"tasks ({'first' if self.first_order else 'second'} order)"

    def learner(self, network: Any) -> tuple[nn.Module, Answer]:
        sgd = learn2learn().algorithms.MetaSGD(
            network, lr=self.adaptation_rate, first_order=self.first_order
        )
        return sgd, lambda s, q: adapted_logits(sgd.clone(), s, q, steps=1)
