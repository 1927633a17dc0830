"""How a network is trained task by task, and when that ends."""

from dataclasses import asdict, dataclass, field

import torch

from syntrans_l2l.training.precision import Precision, resolve


@dataclass(frozen=True, kw_only=True)
class TaskTraining:
    """How a method on images is meta-trained, and on how many episodes it is tested.

    Args:
        iterations: outer steps, at most.
        meta_batch: tasks an outer step.
        learning_rate: of the outer Adam.
        anneal: let that rate fall to zero along a cosine over `iterations` (Antoniou et al.,
            "How to train your MAML", ICLR 2019).
        queries: Q of the training tasks.
        hidden_size: channels of CNN4.
        episodes: test episodes; each of them takes a network's passes.
        validate_every: outer steps between two looks at validation tasks; the last step is
            followed by a look too, and the network of the best look is what is tested. 0 never
            looks, and tests the last network.
        patience: looks without a rise after which training stops.
        validation_tasks: tasks a look, the same each time: the first validation episodes.
        precision: of the convolutions, in training and at test; heads and losses are in float32.
            "auto" takes bfloat16 where the device computes it natively.
    """

    iterations: int = 15000
    meta_batch: int = 4
    learning_rate: float = 1e-3
    anneal: bool = False
    queries: int = 15
    hidden_size: int = 32
    episodes: int = 600
    validate_every: int = 500
    patience: int = 5
    validation_tasks: int = 200
    precision: Precision = "auto"

    def recipe(self, device: torch.device) -> dict[str, object]:
        """What of these settings determines the trained network, on this device."""
        settings = {**asdict(self), "precision": str(resolve(self.precision, device))}
        del settings["episodes"]
        return settings


@dataclass
class Course:
    """How far a training has come.

    Args:
        steps: outer steps done.
        looks: percent right on validation, by the steps before the look.
        diverged: whether it ended because losses or logits were no longer finite.
    """

    steps: int = 0
    looks: dict[int, float] = field(default_factory=dict)
    diverged: bool = False

    @property
    def best(self) -> int:
        """The steps before the best look, the earliest of equals; all where nobody looked."""
        return max(self.looks, key=lambda steps: self.looks[steps], default=self.steps)

    def looks_now(self, training: TaskTraining) -> bool:
        """Whether a look is due."""
        every = training.validate_every
        return every > 0 and (self.steps % every == 0 or self.steps == training.iterations)

    def ended(self, training: TaskTraining) -> bool:
        """Whether all steps are done, validation has stopped rising, or it diverged."""
        waited = sum(steps > self.best for steps in self.looks)
        done = self.steps >= training.iterations or waited >= training.patience
        return done or self.diverged

    def told(self, training: TaskTraining, tasks: str) -> str:
        """The budget in words; `tasks` is what its tasks are called."""
        batch, limit, best = training.meta_batch, "", ""
        if self.looks:
            limit = f" of at most {training.iterations * batch:,}"
            best = f", best on validation after {self.best * batch:,}"
        end = ", then it diverged" if self.diverged else ""
        return f"{self.steps * batch:,}{limit} {tasks} in learn2learn's loop{best}{end}"
