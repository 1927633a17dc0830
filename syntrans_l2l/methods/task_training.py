"""Methods with a network of their own: the loop of learn2learn's examples, one task at a time."""

import random
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Method, Predictor, check_training_episodes
from syntrans_l2l.training import checkpoint

# support [N, K, 3, H, W] and query [N, Q, 3, H, W] -> logits [N * Q, N]
Answer = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class TaskTraining:
    """How a method on images is meta-trained, and on how many episodes it is tested.

    Args:
        iterations: outer steps.
        meta_batch: tasks an outer step.
        learning_rate: of the outer Adam.
        queries: Q of the training tasks.
        hidden_size: channels of CNN4.
        episodes: test episodes; each of them takes a network's passes.
    """

    iterations: int = 15000
    meta_batch: int = 4
    learning_rate: float = 1e-3
    queries: int = 15
    hidden_size: int = 32
    episodes: int = 600


@dataclass(kw_only=True)
class TaskMethod(Method):
    """A row that meta-trains learn2learn's CNN4 on base images: MAML and its family.

    MAML's tasks under `torch.func.vmap` give the same logits and take longer on a CPU: grouped
    convolutions and copies cost more than the loop does (`benchmarks/README.md`).

    BatchNorm takes the statistics of the batch at hand at test, where the method says that it
    is transductive. A killed training resumes to the bit.

    Args:
        training: the outer loop.
    """

    training: TaskTraining = field(default_factory=TaskTraining)

    uses_student = False
    uses_base_classes = True

    def __post_init__(self) -> None:
        self.episodes = self.training.episodes
        self.encoder_name = f"CNN4, {self.training.hidden_size} channels"

    @property
    @abstractmethod
    def note(self) -> str:
        """What the budget says besides the number of tasks."""

    @abstractmethod
    def learner(self, network: Any) -> tuple[nn.Module, Answer]:
        """The module that holds all that is trained, and how it answers a task.

        Args:
            network: an untrained CNN4 with its `features` and its `classifier`.

        Returns:
            the module, and an answer that is differentiable, of images in [-1/2, 1/2].
        """

    def check(self, base: Mapping[str, int], *, ways: int, shots: int) -> None:
        queries = self.training.queries
        check_training_episodes(self, base, ways=ways, shots=shots, queries=queries)

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Train on tasks of base images; answer test episodes one by one."""
        module, answer = self.learner(cnn4(arena, validation.ways, self.training))
        self._train(arena, validation, module, answer)
        module.train(self.is_transductive)
        images = arena.data.test.images

        @torch.enable_grad()  # adapting takes gradients, whatever the caller thinks
        def predict(episodes: Episodes) -> Tensor:
            logits = []
            for support, query in zip(episodes.support, episodes.query, strict=True):
                pair = (images[rows].to(arena.device) / 255.0 - 0.5 for rows in (support, query))
                logits.append(answer(*pair).detach())
            return torch.stack(logits)

        tasks = self.training.iterations * self.training.meta_batch
        return Predictor(predict, budget=f"{tasks:,} tasks in learn2learn's loop, {self.note}")

    def _train(self, arena: Arena, size: Episodes, module: nn.Module, answer: Answer) -> None:
        """Train `module` in place on tasks of the ways and shots of `size`, or go on with it."""
        from syntrans_l2l.episodes.tasks import SemanticTaskset

        training, ways, shots = self.training, size.ways, size.shots
        taskset = SemanticTaskset(arena.data.train, ways, shots + training.queries)
        optimizer = torch.optim.Adam(module.parameters(), training.learning_rate)
        path = arena.cache.root / "task_training" / f"{digest(self._key(arena, size))}.pt"
        done = 0
        if (state := checkpoint.load(path)) is not None:
            module.load_state_dict(state["module"])
            optimizer.load_state_dict(state["optimizer"])
            done = state["iteration"]

        module.train()
        tasks, targets = training.meta_batch, torch.arange(ways, device=arena.device)
        targets = targets.repeat_interleave(training.queries)
        random_state = random.getstate()
        with arena.progress(
            f"{self.name}, {ways}-way {shots}-shot",
            total=training.iterations * tasks,
            unit="task",
            done=done * tasks,
        ) as advance:
            for iteration in range(done, training.iterations):
                random.seed(f"{arena.seed} {iteration}")  # a resumed run draws the same tasks
                optimizer.zero_grad()
                for _ in range(tasks):
                    images = taskset.sample()[0].to(arena.device).unflatten(0, (ways, -1)) - 0.5
                    logits = answer(images[:, :shots], images[:, shots:])
                    (F.cross_entropy(logits, targets) / tasks).backward()
                    advance(1)
                optimizer.step()
                if (iteration + 1) % 250 == 0 or iteration + 1 == training.iterations:
                    state = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
                    checkpoint.save(path, {**state, "iteration": iteration + 1})
        random.setstate(random_state)

    def _key(self, arena: Arena, size: Episodes) -> dict[str, object]:
        """What determines the trained module; the number of test episodes does not."""
        recipe = {
            name: value for name, value in asdict(self.training).items() if name != "episodes"
        }
        return {
            **arena.key(uses_text=False),
            "student": "",
            "method": self.name,
            "settings": {**self.settings(), "training": recipe},
            "ways": size.ways,
            "shots": size.shots,
            "code": code_digest(type(self)),
        }


def cnn4(arena: Arena, ways: int, training: TaskTraining) -> nn.Module:
    """learn2learn's CNN4 for the arena's images, with its `features` and its `classifier`."""
    pooled = arena.data.train.images.shape[-1] // 16  # four poolings by two
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(arena.seed)
        network: nn.Module = learn2learn().vision.models.CNN4(
            ways,
            hidden_size=training.hidden_size,
            embedding_size=pooled * pooled * training.hidden_size,
        )
    return network.to(arena.device)


def adapted_logits(learner: Any, support: Tensor, query: Tensor, steps: int) -> Tensor:
    """Logits of `query` after `steps` of the learner's own `adapt(loss)` on the support."""
    labels = torch.arange(len(support), device=support.device)
    targets = labels.repeat_interleave(support.shape[1])
    for _ in range(steps):
        learner.adapt(F.cross_entropy(learner(support.flatten(0, 1)), targets))
    logits: Tensor = learner(query.flatten(0, 1))
    return logits
