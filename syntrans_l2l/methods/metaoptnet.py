"""MetaOptNet: learn2learn's differentiable SVM on learn2learn's CNN4 features."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.methods.task_method import Answer, TaskMethod


@dataclass(kw_only=True)
class MetaOptNet(TaskMethod):
    """Lee et al., "Meta-learning with differentiable convex optimization", CVPR 2019.

    The SVM is learn2learn's SVClassifier; its logits get a learned scale, as in the paper. At
    test BatchNorm is in eval mode, so the row is inductive.

    Args:
        training: the outer loop.
        regularisation: C of the SVM.
        svm_iterations: of its solver.
    """

    regularisation: float = 0.1
    svm_iterations: int = 15

    name = "metaoptnet"
    title = "MetaOptNet"
    fixed_ways = True
    tasks = "tasks (an SVM in each)"

    def learner(self, network: Any) -> tuple[nn.Module, Answer]:
        encoder = network.features
        encoder.scale = nn.Parameter(torch.ones((), device=next(encoder.parameters()).device))
        svm = learn2learn().nn.SVClassifier(
            C_reg=self.regularisation, max_iters=self.svm_iterations
        )

        def answer(support: Tensor, query: Tensor) -> Tensor:
            labels = torch.arange(len(support), device=support.device)
            shots: Tensor = encoder(support.flatten(0, 1))  # [N * K, D]
            if not shots.square().sum().isfinite():  # the solver would say "Q is not SPD"
                return shots.new_full((query.shape[:2].numel(), len(support)), torch.nan)
            svm.fit_(shots, labels.repeat_interleave(support.shape[1]))
            logits: Tensor = encoder.scale * svm(encoder(query.flatten(0, 1)))
            return logits

        return encoder, answer
