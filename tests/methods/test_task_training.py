"""How long networks are trained on tasks, and which of them is kept."""

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from common import accuracies_of, episodes_of
from torch import Tensor, nn

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.generated import Generated
from syntrans_l2l.methods.anil import Anil
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.methods.cnn4 import cnn4
from syntrans_l2l.methods.episodic_protonet import EpisodicProtoNet
from syntrans_l2l.methods.metaoptnet import MetaOptNet
from syntrans_l2l.methods.task_training import Course, TaskTraining
from syntrans_l2l.progress import Advance

LOOKING = TaskTraining(
    iterations=12, meta_batch=2, learning_rate=0.05, queries=3, hidden_size=4, episodes=10,
    validate_every=2, patience=3, validation_tasks=8,
)  # fmt: skip
METHODS: list[Any] = [EpisodicProtoNet(train_ways=0), Anil(adaptation_steps=1)]


def with_training(method: Any, **changes: Any) -> Any:
    return replace(method, training=replace(LOOKING, **changes))


def prepared(method: Any, arena: Arena) -> tuple[Predictor, Tensor]:
    validation, test = (episodes_of(arena.data, split, 10) for split in ("validation", "test"))
    predictor = method.prepare(arena, validation)
    return predictor, predictor.predict(test)


def test_it_ends_where_looks_no_longer_rise() -> None:
    course, ended = Course(), []
    for steps, right in ((2, 40.0), (4, 50.0), (6, 50.0), (8, 49.0), (10, 45.0)):
        course.steps, course.looks[steps] = steps, right
        ended.append(course.ended(LOOKING))
    assert ended == [False, False, False, False, True]  # 6, 8 and 10 do not exceed 4
    assert course.best == 4
    assert course.told(LOOKING, "20-way tasks") == (
        "20 of at most 24 20-way tasks in learn2learn's loop, best on validation after 8"
    )


def test_the_last_step_is_looked_after_too() -> None:
    training = replace(LOOKING, iterations=5)
    assert [steps for steps in range(1, 6) if Course(steps).looks_now(training)] == [2, 4, 5]
    never = replace(training, validate_every=0)
    assert not any(Course(steps).looks_now(never) for steps in range(1, 6))
    assert Course(5).ended(never) and not Course(4).ended(never)
    assert Course(5).told(never, "tasks") == "10 tasks in learn2learn's loop"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_network_of_the_best_look_is_tested(arena: Arena, method: Any, tmp_path: Path) -> None:
    predictor, logits = prepared(with_training(method), arena)
    best = predictor.selected["values"]["steps"]  # type: ignore[index]
    assert predictor.selected["episodes"] == 8
    looked_at = predictor.selected["grid"]["steps"]  # type: ignore[index]
    assert best < looked_at[-1], "the last network is the best: nothing is tested here"
    assert f"best on validation after {2 * best}" in predictor.budget
    stopped = with_training(method, iterations=best, validate_every=0)
    assert not stopped.selects and with_training(method).selects
    _, expected = prepared(stopped, replace(arena, cache=Cache(tmp_path / "other")))
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("anneal", [False, True])
def test_the_outer_rate_falls_along_a_cosine(
    arena: Arena, anneal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = torch.optim.Adam.step

    def seen(self: torch.optim.Adam, closure: Any = None) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", seen)
    prepared(with_training(Anil(), anneal=anneal, validate_every=0), arena)
    falling = [0.05 * (1 + math.cos(math.pi * done / 12)) / 2 for done in range(12)]
    assert rates == (pytest.approx(falling) if anneal else [0.05] * 12)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("anneal", [False, True])
def test_a_killed_training_resumes_to_the_same_bits(
    arena: Arena, method: Any, anneal: bool, tmp_path: Path
) -> None:
    @contextmanager
    def killed(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
        seen = done

        def advance(count: int) -> None:
            nonlocal seen
            seen += count
            if seen == 11:  # in the sixth step, after two looks
                raise KeyboardInterrupt

        yield advance

    method = with_training(method, patience=20, anneal=anneal)
    whole, logits = prepared(method, arena)
    other = replace(arena, cache=Cache(tmp_path / "other"))
    with pytest.raises(KeyboardInterrupt):
        prepared(method, replace(other, progress=killed))
    [path] = (tmp_path / "other" / "task_training").iterdir()
    assert torch.load(path, weights_only=True)["course"]["steps"] == 4
    resumed, same = prepared(method, other)
    assert torch.equal(logits, same) and resumed.selected == whole.selected
    again, same = prepared(method, other)  # nothing is left to do
    assert torch.equal(logits, same) and again.budget == whole.budget


@pytest.mark.parametrize("method", [*METHODS, MetaOptNet()], ids=lambda method: method.name)
@pytest.mark.parametrize("at", [9, 12])  # in the fifth step, and before the third look
def test_what_diverges_ends_with_the_best_look(
    arena: Arena, method: Any, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, drawn = with_training(method), random.getstate()
    predictor, logits = prepared(method, poisoned(arena, at, monkeypatch))
    chosen: Any = predictor.selected
    best, right = chosen["values"]["steps"], chosen["accuracy"]["steps"]
    assert chosen["grid"]["steps"] == [2, 4] and chosen["rule"] == "best look"
    assert max(right) == right[[2, 4].index(best)]
    assert predictor.budget.endswith(f"best on validation after {2 * best}, then it diverged")
    stopped = with_training(method, iterations=best, validate_every=0)
    _, expected = prepared(stopped, replace(arena, cache=Cache(tmp_path / "other")))
    assert torch.equal(logits, expected)
    again, same = prepared(method, arena)  # nothing is left to do
    assert torch.equal(logits, same) and again.budget == predictor.budget
    assert random.getstate() == drawn


@pytest.mark.parametrize("at", [1, 4])
def test_what_diverges_before_a_look_is_told(
    arena: Arena, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = random.getstate()
    with pytest.raises(
        ValueError, match=r"^anil: training diverged after \d tasks, .* lower TaskTraining.learning"
    ):
        prepared(with_training(Anil()), poisoned(arena, at, monkeypatch))
    assert random.getstate() == drawn


def poisoned(arena: Arena, at: int, monkeypatch: pytest.MonkeyPatch) -> Arena:
    """An arena in which the network is NaN after so many training tasks."""
    networks: list[nn.Module] = []

    def made(*args: Any) -> nn.Module:
        networks.append(cnn4(*args))
        return networks[-1]

    @contextmanager
    def poisons(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
        seen = done

        def advance(count: int) -> None:
            nonlocal seen
            seen += count
            if seen == at:
                for parameter in networks[-1].parameters():
                    parameter.data.fill_(torch.nan)

        yield advance

    monkeypatch.setattr("syntrans_l2l.methods.task_method.cnn4", made)
    return replace(arena, progress=poisons)


def test_the_bar_of_a_training_that_stops_early_is_full(arena: Arena) -> None:
    advanced: list[int] = []

    @contextmanager
    def counting(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
        yield advanced.append
        assert sum(advanced) == total == 24

    method = with_training(METHODS[1], patience=1, learning_rate=0.0)
    predictor, _ = prepared(method, replace(arena, progress=counting))
    assert predictor.budget.startswith("8 of at most 24 tasks")  # the second look was no better
    assert advanced == [1] * 8 + [16]


def test_training_on_episodes_teaches_the_network(arena: Arena, tmp_path: Path) -> None:
    data = Generated(images_per_class=15).load(tmp_path, Cache(tmp_path))
    arena = replace(arena, data=data)
    training = TaskTraining(
        iterations=80, meta_batch=1, learning_rate=0.01, queries=3, hidden_size=8,
        validate_every=40, validation_tasks=30,
    )  # fmt: skip
    test, right = episodes_of(data, "test", 60, shots=5), []
    for iterations in (1, 80):
        method = EpisodicProtoNet(training=replace(training, iterations=iterations))
        predictor = method.prepare(arena, episodes_of(data, "validation", 30, shots=5))
        right.append(float(accuracies_of(predictor.predict, test).mean()))
    assert right[1] > right[0] + 5, right


def test_training_episodes_may_be_wider_than_those_of_the_test() -> None:
    base = dict.fromkeys("abcdefgh", 30)
    EpisodicProtoNet(train_ways=8).check(base, ways=5, shots=1)
    EpisodicProtoNet(train_ways=0).check(base, ways=5, shots=1)
    with pytest.raises(ValueError, match=r"^episodic_protonet trains on .*9 ways.*only 8 classes"):
        EpisodicProtoNet(train_ways=9).check(base, ways=5, shots=1)
