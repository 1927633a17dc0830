"""MAML: learn2learn's algorithm on learn2learn's CNN4, trained from scratch on base tasks."""

from dataclasses import asdict

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.methods.task_training import TaskTraining, adapted_logits, cnn4, run_on_tasks


class Maml:
    """Finn et al., "Model-agnostic meta-learning", ICML 2017.

    BatchNorm uses the statistics of the batch at hand, as in the published results, so the row
    is marked transductive.

    Args:
        training: the outer loop.
        first_order: drop second derivatives.
        adaptation_rate: of the inner SGD.
        adaptation_steps: inner steps, in training and at test.
    """

    name = "maml"
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
        adaptation_steps: int = 5,
    ) -> None:
        self.training = training or TaskTraining()
        self.first_order = first_order
        self.adaptation_rate = adaptation_rate
        self.adaptation_steps = adaptation_steps
        self.episodes: int | None = self.training.episodes

    def settings(self) -> dict[str, object]:
        return {
            "first_order": self.first_order,
            "adaptation_rate": self.adaptation_rate,
            "adaptation_steps": self.adaptation_steps,
            "training": asdict(self.training),
        }

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        maml = learn2learn().algorithms.MAML(
            cnn4(arena, validation.ways, self.training),
            lr=self.adaptation_rate,
            first_order=self.first_order,
        )
        return run_on_tasks(
            arena,
            validation,
            method=self,
            training=self.training,
            module=maml,
            answer=lambda s, q: adapted_logits(maml.clone(), s, q, self.adaptation_steps),
            note="first order" if self.first_order else "second order",
        )
