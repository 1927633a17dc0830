"""Whether settings are of the kinds that the constructors of their classes say."""

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

_OURS = __name__.partition(".")[0]
_PLAIN = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}
# whole numbers that leave nothing to do at zero
_AT_LEAST_ONE = ("batch_size", "folds", "hidden", "hidden_size", "meta_batch", "patience",
                 "queries", "validation_tasks")  # fmt: skip


def check_kinds(settings: object) -> None:
    """Look through methods and recipes of this package, and through what they hold.

    Numbers, texts, truth values, choices, lists of these and parts of this package are looked at;
    other things are left to whoever takes them, and other people's classes to them.

    Raises:
        ValueError: one is of another kind, a number is not finite, or a whole one too small.
    """
    if isinstance(settings, list | tuple):
        for each in settings:
            check_kinds(each)
    elif _is_ours(type(settings)) and hasattr(settings, "__dict__"):
        held = vars(settings)
        for name, parameter in inspect.signature(type(settings)).parameters.items():
            if name in held:
                _check(f"{type(settings).__name__}.{name}", parameter.annotation, held[name])
        check_kinds(list(held.values()))


def _check(name: str, kind: Any, value: object) -> None:
    """Raise ValueError as `check_kinds` does, for one setting."""
    if not _fits(value, kind):
        raise ValueError(f"{name} must be {_told(kind)}, got {value!r:.80}")
    setting = name.rpartition(".")[2]
    least = 1 if setting in _AT_LEAST_ONE else 0
    if type(value) is int and value < least and "seed" not in setting:
        raise ValueError(f"{name} must be {least} or more, got {value}")


def _fits(value: object, kind: Any) -> bool:
    """Whether a value is of a kind; whatever this knows no test for fits."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in parts)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Sequence and parts[0] in _PLAIN:
        several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
        return several and all(_fits(each, parts[0]) for each in value)  # type: ignore[attr-defined]
    if kind in (None, NoneType):
        return value is None
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value)  # type: ignore[arg-type]
    if kind in _PLAIN:
        return type(value) is kind
    if inspect.isclass(kind) and _is_ours(kind) and not getattr(kind, "_is_protocol", False):
        return isinstance(value, kind)
    return True


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == _OURS


def _told(kind: Any) -> str:
    """A kind in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin in (Union, UnionType):
        return " or ".join(_told(part) for part in parts)
    if origin is Sequence:
        return f"a list, each {_told(parts[0])}"
    if kind in (None, NoneType):
        return "None"
    return _PLAIN.get(kind) or f"made as by @{kind.__name__}()"
