"""MetaOptNet: learn2learn's differentiable SVM on learn2learn's CNN4 features."""

from dataclasses import asdict
from typing import Any, cast

import torch
from torch import Tensor, nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.methods.task_training import TaskTraining, cnn4, run_on_tasks


class MetaOptNet:
    """Lee et al., "Meta-learning with differentiable convex optimization", CVPR 2019.

    The SVM is learn2learn's SVClassifier; its logits get a learned scale, as in the paper. At
    test BatchNorm is in eval mode, so the row is inductive.

    Args:
        training: the outer loop.
        regularisation: C of the SVM.
        svm_iterations: of its solver.
    """

    name = "metaoptnet"
    uses_text = False
    uses_teacher_images = False
    is_transductive = False
    uses_student = False
    selects = False
    uses_base_classes = True

    def __init__(
        self,
        *,
        training: TaskTraining | None = None,
        regularisation: float = 0.1,
        svm_iterations: int = 15,
    ) -> None:
        self.training = training or TaskTraining()
        self.regularisation = regularisation
        self.svm_iterations = svm_iterations
        self.episodes: int | None = self.training.episodes

    def settings(self) -> dict[str, object]:
        return {
            "regularisation": self.regularisation,
            "svm_iterations": self.svm_iterations,
            "training": asdict(self.training),
        }

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        network = cast(Any, cnn4(arena, validation.ways, self.training).features)
        network.scale = nn.Parameter(torch.ones((), device=arena.device))
        svm = learn2learn().nn.SVClassifier(
            C_reg=self.regularisation, max_iters=self.svm_iterations
        )

        def answer(support: Tensor, query: Tensor) -> Tensor:
            labels = torch.arange(len(support), device=support.device)
            svm.fit_(network(support.flatten(0, 1)), labels.repeat_interleave(support.shape[1]))
            logits: Tensor = network.scale * svm(network(query.flatten(0, 1)))
            return logits

        return run_on_tasks(
            arena,
            validation,
            method=self,
            training=self.training,
            module=network,
            answer=answer,
            note="an SVM in each",
        )
