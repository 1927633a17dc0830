"""Meta-SGD: learn2learn's algorithm on learn2learn's CNN4, trained from scratch on base tasks."""

from dataclasses import asdict

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.methods.task_training import TaskTraining, adapted_logits, cnn4, run_on_tasks


class MetaSgd:
    """Li et al., "Meta-SGD: learning to learn quickly for few-shot learning", 2017.

    MAML with a learned rate for each weight, and one inner step. BatchNorm uses the statistics
    of the batch at hand, as MAML's does, so the row is marked transductive.

    Args:
        training: the outer loop.
        first_order: drop second derivatives.
        adaptation_rate: where the learned rates start.
    """

    name = "meta_sgd"
    uses_text = False
    uses_teacher_images = False
    is_transductive = True
    uses_student = False
    selects = False
    uses_base_classes = True

    def __init__(
        self,
        *,
        training: TaskTraining | None = None,
        first_order: bool = False,
        adaptation_rate: float = 0.1,
    ) -> None:
        self.training = training or TaskTraining()
        self.first_order = first_order
        self.adaptation_rate = adaptation_rate
        self.episodes: int | None = self.training.episodes

    def settings(self) -> dict[str, object]:
        return {
            "first_order": self.first_order,
            "adaptation_rate": self.adaptation_rate,
            "training": asdict(self.training),
        }

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        learner = learn2learn().algorithms.MetaSGD(
            cnn4(arena, validation.ways, self.training),
            lr=self.adaptation_rate,
            first_order=self.first_order,
        )
        return run_on_tasks(
            arena,
            validation,
            method=self,
            training=self.training,
            module=learner,
            answer=lambda s, q: adapted_logits(learner.clone(), s, q, steps=1),
            note="first order" if self.first_order else "second order",
        )
