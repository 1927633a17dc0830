"""A function as a row: `@row` is all that an own method needs."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.episodes.gathering import cache_sized, gathered
from syntrans_l2l.methods.base import Arena, Method, Predictor, readable
from syntrans_l2l.methods.class_vectors import centred_vectors, required_bank
from syntrans_l2l.methods.failures import told_of
from syntrans_l2l.methods.settings import values_within

# support [E, N, K, D], query [E, N * Q, D] and, where text is used, text [E, N, M]
# -> logits [E, N * Q, N]
Function = Callable[..., Tensor]

_WIDTH, _QUERIES = 16, 3  # of the two episodes that a function is tried on
_DUE_TO_WIDTH = (RuntimeError, ValueError, AssertionError)  # a function may want its own width


@dataclass(kw_only=True)
class FunctionRow(Method):
    """What `@row` makes of a function; calling it calls the function.

    Args:
        function: from features, and text where it is used, to logits.
        name: the identifier in records.
        title: what tables call it; empty takes a readable form of the name.
        uses_text: whether the function takes class vectors.
        is_transductive: whether the queries of an episode see each other.

    Raises:
        TypeError: the function's parameters do not fit the flag.
    """

    function: Function
    name: str
    title: str = ""
    uses_text: bool = False
    is_transductive: bool = False

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.function)
        given = ("support", "query", "text") if self.uses_text else ("support", "query")
        try:
            parameters.bind(*given)
        except TypeError:
            raise TypeError(
                f"row {self.name}: the function must take ({', '.join(given)}), got {parameters}"
                + ("" if self.uses_text else "; for class vectors write @row(uses_text=True)")
            ) from None
        if "text" in parameters.parameters and not self.uses_text:
            raise TypeError(
                f"row {self.name}: the function takes text, and the row does not declare it; "
                "write @row(uses_text=True)"
            )
        self.title = self.title or readable(self.name)
        self.uses_base_classes = self.uses_text  # text is centred with the base classes' mean

    def __call__(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors)

    def settings(self) -> dict[str, object]:
        return {
            "uses_text": self.uses_text,
            "is_transductive": self.is_transductive,
            "values": values_within(self.function),
        }

    def check(self, base: Mapping[str, int], *, ways: int, shots: int) -> None:
        """Try the function on two small random episodes.

        An error that the width of the features may have caused is left to the true features.
        """
        generator = torch.Generator().manual_seed(0)
        shapes = [(2, ways, shots, _WIDTH), (2, ways * _QUERIES, _WIDTH), (2, ways, _WIDTH)]
        tensors = [torch.randn(shape, generator=generator) for shape in shapes]
        with told_of(self.name):
            try:
                with torch.no_grad():
                    logits = self.function(*tensors[: 3 if self.uses_text else 2])
            except _DUE_TO_WIDTH:
                return
        self._checked(logits, (2, ways * _QUERIES, ways))
        if not logits.isfinite().all():
            raise ValueError(
                f"row {self.name} gives logits that are not finite for random features at "
                f"{shots} shots"
            )

    def prepare(self, arena: Arena, validation: Episodes) -> Predictor:
        """Nothing is fitted: the function sees features as the encoder gives them.

        Class vectors are centred on the base classes and of unit length, as other rows see them.

        Raises:
            ValueError: the row uses text, and there are no semantics.
        """
        features = arena.features["test"].to(arena.device)
        vectors = None
        if self.uses_text:
            bank = required_bank(arena, self.name)
            vectors = centred_vectors(arena.data, bank, arena.device)["test"]

        def predict(episodes: Episodes) -> Tensor:
            parts = []
            for batch in cache_sized(episodes, features.shape[1]):
                tensors = [
                    gathered(features, batch.support),  # [e, N, K, D]
                    gathered(features, batch.query).flatten(1, 2),  # [e, N * Q, D]
                ]
                if vectors is not None:
                    tensors.append(gathered(vectors, batch.class_ids))  # [e, N, M]
                with told_of(self.name):
                    logits = self.function(*tensors)
                shape = len(batch), batch.ways * batch.queries, batch.ways
                parts.append(self._checked(logits, shape))
            return torch.cat(parts)

        return Predictor(predict)

    def _checked(self, logits: object, shape: tuple[int, ...]) -> Tensor:
        """The logits, where they have this shape."""
        if not isinstance(logits, Tensor):
            raise ValueError(f"row {self.name} must return a tensor, got {type(logits).__name__}")
        if logits.shape != shape:
            raise ValueError(
                f"row {self.name} must return logits [E, N * Q, N] = {list(shape)}, got "
                f"{list(logits.shape)}"
            )
        return logits


@overload
def row(function: Function) -> FunctionRow: ...
@overload
def row(
    *, name: str = "", title: str = "", uses_text: bool = False, is_transductive: bool = False
) -> Callable[[Function], FunctionRow]: ...
def row(
    function: Function | None = None,
    *,
    name: str = "",
    title: str = "",
    uses_text: bool = False,
    is_transductive: bool = False,
) -> FunctionRow | Callable[[Function], FunctionRow]:
    """Make a row of a function from a batch of episodes to logits.

    The function gets support [E, N, K, D] and query [E, N * Q, D], features as the encoder gives
    them, and with `uses_text` also text [E, N, M], the classes' vectors, centred on the base
    classes and of unit length. It returns logits [E, N * Q, N]. E differs from batch to batch,
    and no gradient is kept. In a gin file, `import` of the function's module makes `@NAME()` a
    row, NAME being the function's.

    Args:
        function: where nothing is declared, `@row` stands alone.
        name: the identifier in records; empty takes the function's name.
        title: what tables call it; empty takes a readable form of the name.
        uses_text: whether the function takes class vectors.
        is_transductive: whether the queries of an episode see each other.

    Raises:
        TypeError: the function's parameters do not fit `uses_text`, or nothing names the row.
    """

    def made(function: Function) -> FunctionRow:
        if not name and not hasattr(function, "__name__"):
            raise TypeError(f"{function!r:.80} has no name: write row(name=...)")
        return FunctionRow(
            function=function,
            name=name or function.__name__,
            title=title,
            uses_text=uses_text,
            is_transductive=is_transductive,
        )

    return made if function is None else made(function)
