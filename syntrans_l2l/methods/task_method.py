"""Methods with a network of their own: the loop of learn2learn's examples, one task at a time."""

import copy
import random
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR

from syntrans_l2l.algorithms.selection import selected
from syntrans_l2l.cache import digest, tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import Split
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.statistics import percent_right
from syntrans_l2l.methods.base import (
    Arena,
    Method,
    Predict,
    Predictor,
    check_training_episodes,
)
from syntrans_l2l.methods.cnn4 import cnn4
from syntrans_l2l.methods.task_training import Course, TaskTraining
from syntrans_l2l.seeds import derived, seeded
from syntrans_l2l.training import checkpoint

# support [N, K, 3, H, W] and query [N, Q, 3, H, W] -> logits [N * Q, N]
Answer = Callable[[Tensor, Tensor], Tensor]


@dataclass(kw_only=True)
class TaskMethod(Method):
    """A row that meta-trains learn2learn's CNN4 on base images: MAML and its family.

    MAML's tasks under `torch.func.vmap` give the same logits and take longer on a CPU: grouped
    convolutions and copies cost more than the loop does (`benchmarks/speed/README.md`).

    BatchNorm takes the statistics of the batch at hand at test, where the method says that it
    is transductive. A killed training resumes to the bit. One that diverges ends there, and the
    network of the best look is tested; without a look it is refused.

    Args:
        training: the outer loop.
    """

    training: TaskTraining = field(default_factory=TaskTraining)

    uses_student = False
    uses_base_classes = True

    def __post_init__(self) -> None:
        self.episodes = self.training.episodes
        self.encoder_name = f"CNN4, {self.training.hidden_size} channels"
        self.selects = self.training.validate_every > 0

    def settings(self) -> dict[str, object]:
        """All but the number of test episodes, which changes how sure a result is and not what."""
        training = asdict(self.training)
        del training["episodes"]
        return {**super().settings(), "training": training}

    @property
    @abstractmethod
    def tasks(self) -> str:
        """What the budget calls the training tasks."""

    @abstractmethod
    def learner(self, network: Any) -> tuple[nn.Module, Answer]:
        """The module that holds all that is trained, and how it answers a task.

        Args:
            network: an untrained CNN4 with its `features` and its `classifier`.

        Returns:
            the module, and an answer that is differentiable, of images in [-1/2, 1/2].
        """

    def training_ways(self, ways: int) -> int:
        """N of the training tasks, where test episodes have `ways`."""
        return ways

    def check(self, base: Mapping[str, int], *, ways: int, shots: int) -> None:
        ways, queries = self.training_ways(ways), self.training.queries
        check_training_episodes(self, base, ways=ways, shots=shots, queries=queries)

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Train on tasks of base images, until validation stops rising; answer one by one."""
        module, answer = self.learner(cnn4(arena, validation.ways, self.training))
        looked_at = validation.first(self.training.validation_tasks)
        course = self._train(arena, looked_at, module, answer)
        chosen = {}
        if course.looks:
            chosen = selected({"steps": course.best}, {"steps": [*course.looks]}, looked_at)
            chosen["rule"] = "best look"
            chosen["accuracy"] = {"steps": [round(right, 2) for right in course.looks.values()]}
        budget = course.told(self.training, self.tasks)
        return Predictor(self._predict(arena, "test", module, answer), chosen, budget)

    def _predict(self, arena: Arena, split: str, module: nn.Module, answer: Answer) -> Predict:
        """How the module, as it is when asked, answers episodes of the split."""
        part: Split = getattr(arena.data, split)

        @torch.enable_grad()  # adapting takes gradients, whatever the caller thinks
        def predict(episodes: Episodes) -> Tensor:
            module.train(self.is_transductive)
            logits = []
            for rows in zip(episodes.support, episodes.query, strict=True):
                support, query = (unit_pixels(part.images[each], arena) for each in rows)
                logits.append(answer(support, query).detach())
            return torch.stack(logits)

        return predict

    def _train(
        self, arena: Arena, validation: Episodes, module: nn.Module, answer: Answer
    ) -> Course:
        """Train `module` in place on tasks of validation's shots, or go on with it."""
        from syntrans_l2l.episodes.tasks import SemanticTaskset

        training, shots = self.training, validation.shots
        ways, tasks = self.training_ways(validation.ways), training.meta_batch
        taskset = SemanticTaskset(arena.data.train, ways, shots + training.queries)
        optimizer = torch.optim.Adam(module.parameters(), training.learning_rate)
        last = 0.0 if training.anneal else training.learning_rate
        schedule = CosineAnnealingLR(optimizer, training.iterations, eta_min=last)
        kept: dict[str, Any] = {"module": module, "optimizer": optimizer, "schedule": schedule}
        path = arena.cache.root / "task_training" / f"{digest(self._key(arena, validation))}.pt"
        course, best = Course(), dict[str, Tensor]()
        if (state := checkpoint.load(path)) is not None:
            for name, part in kept.items():
                part.load_state_dict(state[name])
            course, best = Course(**state["course"]), state["best"]

        def keep() -> None:
            state = {name: part.state_dict() for name, part in kept.items()}
            checkpoint.save(path, {**state, "course": asdict(course), "best": best})

        targets = torch.arange(ways, device=arena.device).repeat_interleave(training.queries)
        look = self._predict(arena, "validation", module, answer)
        bar = arena.progress(
            f"{self.name}, {ways}-way {shots}-shot",
            total=training.iterations * tasks,
            unit="task",
            done=course.steps * tasks,
        )
        with _own_randomness(), seeded(arena.seed), bar as advance:
            try:
                while not course.ended(training):
                    module.train()
                    # resumed, it draws the same tasks, and a learner of one's own the same dropout
                    random.seed(f"{arena.seed} {course.steps}")
                    torch.manual_seed(derived(arena.seed, "step", course.steps))
                    optimizer.zero_grad()
                    for _ in range(tasks):
                        images = taskset.sample()[0].to(arena.device).unflatten(0, (ways, -1)) - 0.5
                        logits = answer(images[:, :shots], images[:, shots:])
                        (_finite(F.cross_entropy(logits, targets)) / tasks).backward()
                        advance(1)
                    optimizer.step()
                    schedule.step()
                    course.steps += 1
                    if looks := course.looks_now(training):
                        said = _finite(look(validation)).cpu().argmax(-1)
                        right = percent_right(said, validation.query_labels())
                        course.looks[course.steps] = float(right.mean())
                        if course.best == course.steps:
                            best = copy.deepcopy(module.state_dict())
                    if looks or course.steps % 250 == 0 or course.ended(training):
                        keep()
                advance((training.iterations - course.steps) * tasks)  # it did without these
            except FloatingPointError:
                if not best:
                    raise ValueError(
                        f"{self.name}: training diverged after {course.steps * tasks:,} tasks, "
                        "before a look at validation: lower TaskTraining.learning_rate"
                    ) from None
                course.diverged = True
                keep()
        if best:
            module.load_state_dict(best)
        return course

    def _key(self, arena: Arena, validation: Episodes) -> dict[str, object]:
        """What determines the trained module; the number of test episodes does not."""
        drawn = {"support": validation.support, "query": validation.query}
        return {
            **arena.key(uses_text=False),
            "student": "",
            "method": self.name,
            "settings": {**self.settings(), "training": self.training.recipe(arena.device)},
            "ways": validation.ways,
            "shots": validation.shots,
            "validation": tensor_digest(drawn) if self.selects else "",
            "code": code_digest(type(self)),
        }


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave Python's random numbers as they were, whatever is drawn or raised within."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _finite(values: Tensor) -> Tensor:
    """The values; FloatingPointError where one is not finite: training has diverged."""
    if not values.isfinite().all():
        raise FloatingPointError
    return values


def unit_pixels(images: Tensor, arena: Arena) -> Tensor:
    """uint8 images in [-1/2, 1/2], on the arena's device."""
    return images.to(arena.device) / 255.0 - 0.5


def adapted_logits(learner: Any, support: Tensor, query: Tensor, steps: int) -> Tensor:
    """Logits of `query` after `steps` of the learner's own `adapt(loss)` on the support."""
    labels = torch.arange(len(support), device=support.device)
    targets = labels.repeat_interleave(support.shape[1])
    for _ in range(steps):
        learner.adapt(F.cross_entropy(learner(support.flatten(0, 1)), targets))
    logits: Tensor = learner(query.flatten(0, 1))
    return logits
