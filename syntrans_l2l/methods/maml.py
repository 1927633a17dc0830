"""MAML: learn2learn's algorithm on learn2learn's CNN4, trained from scratch on base tasks."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.methods.task_method import Answer, TaskMethod, adapted_logits


@dataclass(kw_only=True)
class Maml(TaskMethod):
    """Finn et al., "Model-agnostic meta-learning", ICML 2017.

    BatchNorm uses the statistics of the batch at hand, as in the published results, so the row
    is marked transductive.

    Args:
        training: the outer loop.
        first_order: drop second derivatives.
        adaptation_rate: of the inner SGD.
        adaptation_steps: inner steps, in training and at test.
    """

    first_order: bool = False
    adaptation_rate: float = 0.1
    adaptation_steps: int = 5

    name = "maml"
    title = "MAML"
    is_transductive = True
    fixed_ways = True

    @property
    def tasks(self) -> str:
        return f"tasks ({'first' if self.first_order else 'second'} order)"

    def learner(self, network: Any) -> tuple[nn.Module, Answer]:
        maml = learn2learn().algorithms.MAML(
            network, lr=self.adaptation_rate, first_order=self.first_order
        )
        return maml, lambda s, q: adapted_logits(maml.clone(), s, q, self.adaptation_steps)
