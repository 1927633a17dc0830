"""MAML: learn2learn's algorithm on learn2learn's CNN4, trained from scratch on base tasks."""

import random
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import code_digest, digest
from syntrans_l2l.evaluation.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.training import checkpoint


class Maml:
    """Finn et al., "Model-agnostic meta-learning", ICML 2017.

    BatchNorm uses the statistics of the batch at hand, as in the published results, so the row
    is marked transductive. The loop is learn2learn's example's, one task at a time.

    Args:
        first_order: drop second derivatives.
        iterations: outer steps.
        meta_batch: tasks an outer step.
        hidden_size: channels of CNN4.
        learning_rate: of the outer Adam.
        adaptation_rate: of the inner SGD.
        adaptation_steps: inner steps, in training and at test.
        train_queries: queries per class in training tasks.
        episodes: test episodes; MAML adapts a network in each.
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
        first_order: bool = False,
        iterations: int = 15000,
        meta_batch: int = 4,
        hidden_size: int = 32,
        learning_rate: float = 1e-3,
        adaptation_rate: float = 0.1,
        adaptation_steps: int = 5,
        train_queries: int = 15,
        episodes: int = 600,
    ) -> None:
        self.first_order = first_order
        self.iterations = iterations
        self.meta_batch = meta_batch
        self.hidden_size = hidden_size
        self.learning_rate = learning_rate
        self.adaptation_rate = adaptation_rate
        self.adaptation_steps = adaptation_steps
        self.train_queries = train_queries
        self.episodes: int | None = episodes

    def settings(self) -> dict[str, object]:
        return dict(vars(self))

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        from syntrans_l2l.tasks import SemanticTaskset

        ways, shots = validation.ways, validation.shots
        maml = self._learner(arena, ways)
        taskset = SemanticTaskset(arena.data.train, ways, shots + self.train_queries)
        optimizer = torch.optim.Adam(maml.parameters(), self.learning_rate)
        key = {
            "data": arena.data.fingerprint,
            "ways": ways,
            "shots": shots,
            "seed": arena.seed,
            "code": code_digest(__name__, "syntrans_l2l.tasks"),
            **{name: value for name, value in self.settings().items() if name != "episodes"},
        }
        path = arena.cache.root / "maml" / f"{digest(key)}.pt"
        done = 0
        if (state := checkpoint.load(path)) is not None:
            maml.load_state_dict(state["maml"])
            optimizer.load_state_dict(state["optimizer"])
            done = state["iteration"]

        stage = f"MAML, {ways}-way {shots}-shot"
        random_state = random.getstate()
        with arena.progress(
            stage, total=self.iterations * self.meta_batch, unit="task", done=done * self.meta_batch
        ) as advance:
            for iteration in range(done, self.iterations):
                random.seed(f"{arena.seed} {iteration}")  # a resumed run draws the same tasks
                optimizer.zero_grad()
                for _ in range(self.meta_batch):
                    task = taskset.sample()
                    images = task[0].to(arena.device).unflatten(0, (ways, -1))
                    loss, _ = self._adapt(maml, images[:, :shots], images[:, shots:])
                    (loss / self.meta_batch).backward()
                    advance(1)
                optimizer.step()
                if (iteration + 1) % 250 == 0 or iteration + 1 == self.iterations:
                    state = {"maml": maml.state_dict(), "optimizer": optimizer.state_dict()}
                    checkpoint.save(path, {**state, "iteration": iteration + 1})
        random.setstate(random_state)

        images = arena.data.test.images

        @torch.enable_grad()  # adapting takes gradients, whatever the caller thinks
        def predict(episodes: Episodes) -> Tensor:
            logits = []
            for support, query in zip(episodes.support, episodes.query, strict=True):
                pair = (images[rows].to(arena.device).float() / 255.0 for rows in (support, query))
                logits.append(self._adapt(maml, *pair)[1])
            return torch.stack(logits)

        order = "first" if self.first_order else "second"
        tasks = self.iterations * self.meta_batch
        return Predictor(predict, budget=f"{tasks:,} tasks, {order} order")

    def _learner(self, arena: Arena, ways: int) -> Any:
        l2l = learn2learn()
        pooled = arena.data.train.images.shape[-1] // 16  # four poolings by two
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(arena.seed)
            network = l2l.vision.models.CNN4(
                ways,
                hidden_size=self.hidden_size,
                embedding_size=pooled * pooled * self.hidden_size,
            )
        maml = l2l.algorithms.MAML(network, lr=self.adaptation_rate, first_order=self.first_order)
        return maml.to(arena.device)

    def _adapt(self, maml: nn.Module, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Adapt a clone to support [N, K, 3, H, W]; loss and logits of query [N, Q, 3, H, W]."""
        ways = len(support)
        maml.train()
        learner = cast(Any, maml).clone()
        labels = torch.arange(ways, device=support.device)
        targets = labels.repeat_interleave(support.shape[1])
        for _ in range(self.adaptation_steps):
            learner.adapt(F.cross_entropy(learner(support.flatten(0, 1) - 0.5), targets))
        logits = learner(query.flatten(0, 1) - 0.5)
        loss = F.cross_entropy(logits, labels.repeat_interleave(query.shape[1]))
        return loss, logits.detach()
