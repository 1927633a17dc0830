"""Rows of other people that go wrong: one line that names the row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from syntrans_l2l import FromModule, Method, evaluate, features
from syntrans_l2l.datasets.base import Benchmark
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.methods.class_vectors import required_bank


class Mine(Method):
    """Answers with what a function of the episodes gives."""

    def __init__(self, answer: Callable[[Episodes], Tensor]) -> None:
        self.answer = answer

    def settings(self) -> dict[str, object]:
        return {}

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        return Predictor(self.answer)


class Unprepared(Mine):
    name = "unprepared"

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        made: dict[str, Predictor] = {}
        return made["weights"]


class Undeclared(Mine):
    """Reads text, and does not say so."""

    name = "undeclared"

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        return Predictor(lambda episodes: required_bank(arena, self.name).vectors)


class Learner:
    def fit_(self, support: Tensor, labels: Tensor) -> None:
        raise KeyError("labels")

    def __call__(self, query: Tensor) -> Tensor:
        return query


def full(value: float, ways: int = 5) -> Mine:
    return Mine(lambda episodes: torch.full((len(episodes), 25, ways), value))


def missing(episodes: Episodes) -> Tensor:
    raise KeyError("a\nb")


@pytest.fixture(scope="module")
def data() -> Benchmark:
    labels, generator = np.repeat(np.arange(18), 10), np.random.default_rng(0)
    split = ["train"] * 6 + ["val"] * 6 + ["test"] * 6
    names = [f"c{label}" for label in range(18)]
    return features(generator.normal(size=(180, 8)), labels, names, split)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (full(1.0, 6), r"^mine, 1-shot: logits must be .* = \[10, 25, 5\], got \[10, 25, 6\]$"),
        (full(float("nan")), "^mine, 1-shot: logits are not finite"),
        (Mine(missing), r"^row mine failed: KeyError: 'a\\nb' \(.*fail.py, line \d+\)$"),
        (Unprepared(missing), r"^row unprepared failed: KeyError: 'weights' \(.*fail.py, line"),
        (Undeclared(missing), "^row undeclared failed: ValueError: .* set uses_text = True"),
        (FromModule(module=Learner()), r"^row learner failed: KeyError: 'labels' \(.*fail.py"),
    ],
)
def test_one_line_names_the_row(
    row: Any, message: str, data: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTRANS_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=message) as caught:
        evaluate([row], data, shots=(1,), queries=5, episodes=10, progress=False)
    assert "\n" not in str(caught.value)
