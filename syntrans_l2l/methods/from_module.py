"""Anything that learns from a support set and answers queries as a row."""

import copy
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from syntrans_l2l.code import code_digest
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import gathered
from syntrans_l2l.methods.base import Arena, Method, Predictor, snake_case
from syntrans_l2l.methods.failures import told_of
from syntrans_l2l.methods.settings import only_plain, plain

_TORCHS_OWN = frozenset(vars(nn.Module()))
_LEARN = ("fit_", "process_support_set")  # learn2learn's name and easyfsl's


@dataclass(kw_only=True)
class FromModule(Method):
    """A module with learn2learn's `fit_` or easyfsl's `process_support_set`, and `forward`.

    For each episode it learns from support features [N * K, D] with their labels [N * K], and
    answers query features [N * Q, D] with logits [N * Q, N]; features are as the encoder gives
    them. The module is copied and stays as it is.

    Args:
        module: such an object, its networks trained.
        name: the identifier in records; empty takes the class's name in snake case.
        is_transductive: whether the queries of an episode see each other; easyfsl's modules say
            so themselves.
        episodes: the first so many test episodes are enough for a slow module; None for all.

    Raises:
        TypeError: the module has neither of the two methods, or is a class.
    """

    module: Any
    name: str = ""
    is_transductive: bool = False
    episodes: int | None = None

    def __post_init__(self) -> None:
        kind = type(self.module)
        if inspect.isclass(self.module):
            raise TypeError(f"{self.module.__name__} is a class: give an object, with ()")
        if not callable(self.module) or not any(hasattr(self.module, name) for name in _LEARN):
            raise TypeError(
                f"{kind.__name__} is no row: it needs learn2learn's fit_ or easyfsl's "
                "process_support_set, and forward; a function becomes a row by @row"
            )
        self.name = self.name or snake_case(kind.__name__)
        says = getattr(self.module, "is_transductive", None)
        self.is_transductive |= callable(says) and bool(says())
        held = {name: each for name, each in vars(self.module).items() if name not in _TORCHS_OWN}
        self._settings = {
            "module": plain(self.module if isinstance(self.module, nn.Module) else kind),
            "values": only_plain(held),
            "functions": {
                name: f"{each.__qualname__} {code_digest(each)}"
                for name, each in held.items()
                if inspect.isroutine(each)
            },
            "is_transductive": self.is_transductive,
        }

    def settings(self) -> dict[str, object]:
        return dict(self._settings)

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Nothing is trained here."""
        module = copy.deepcopy(self.module)
        if isinstance(module, nn.Module):
            module = module.to(arena.device).eval()
        learn = next(getattr(module, name) for name in _LEARN if hasattr(module, name))
        features = arena.features["test"].to(arena.device)

        def predict(episodes: Episodes) -> Tensor:
            labels = torch.arange(episodes.ways, device=arena.device)
            labels = labels.repeat_interleave(episodes.shots)
            answered = []
            for support, query in zip(episodes.support, episodes.query, strict=True):
                shots, queries = (gathered(features, rows.flatten()) for rows in (support, query))
                with told_of(self.name):
                    learn(shots, labels)
                    answered.append(module(queries).detach())
            logits = torch.stack(answered)
            shape = (len(episodes), episodes.ways * episodes.queries, episodes.ways)
            if logits.shape != shape:
                raise ValueError(
                    f"row {self.name} must return logits [N * Q, N] = {list(shape[1:])}, got "
                    f"{list(logits.shape[1:])}"
                )
            return logits

        return Predictor(predict)
