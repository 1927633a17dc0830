"""Rows do their work on the arena's device: the meta device stands for a GPU that is not there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from common import episodes_of
from torch import Tensor

from syntrans_l2l.methods import ktn, tip_adapter, zero_shot
from syntrans_l2l.methods.base import Arena, Method
from syntrans_l2l.methods.from_module import FromModule
from syntrans_l2l.methods.function_row import row
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.methods.simpleshot import SimpleShot

META = torch.device("meta")


@row(uses_text=True)
def text_and_shots(support: Tensor, query: Tensor, text: Tensor) -> Tensor:
    assert {support.device, query.device, text.device} == {META}
    return query @ support.mean(2).mT + text[..., :1].mT


class Nearest:
    def fit_(self, support: Tensor, labels: Tensor) -> None:
        assert support.device == labels.device == META
        self.means = support.unflatten(0, (5, -1)).mean(1)

    def __call__(self, query: Tensor) -> Tensor:
        logits: Tensor = query @ self.means.T
        return logits


ROWS: list[Any] = [
    ProtoNet(),
    ProtoNet("cosine"),
    SimpleShot(),
    text_and_shots,
    FromModule(module=Nearest()),
    zero_shot.ZeroShot(shared_space=False),
    tip_adapter.TipAdapter(shared_space=False),
    ktn.Ktn(),
]


@pytest.mark.parametrize("method", ROWS, ids=lambda method: method.name)
@pytest.mark.parametrize("shots", [1, 3])
def test_a_row_answers_on_the_arenas_device(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, method: Method, shots: int
) -> None:
    def first(grid: Sequence[Any], logits: Callable[[Any], Tensor], episodes: Any) -> Any:
        assert logits(grid[0]).device == META  # what it is worth, the meta device cannot say
        return grid[0]

    for module in (ktn, tip_adapter, zero_shot):
        monkeypatch.setattr(module, "choose", first)
    there = replace(arena, device=META)
    validation, test = (episodes_of(arena.data, s, 4, shots) for s in ("validation", "test"))
    logits = method.prepare(there, validation).predict(test)
    assert logits.device == META and logits.shape == (4, 25, 5)
