"""Settings as JSON holds them, for cache keys and records."""

import inspect
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from syntrans_l2l.cache import tensor_digest


def plain(value: object) -> object:
    """`value` in numbers, texts, lists and dicts; tensors and modules by a hash of what they hold.

    What is none of these stays as it is.
    """
    if isinstance(value, Tensor | np.ndarray):
        return tensor_digest({"tensor": torch.as_tensor(value)})
    if isinstance(value, nn.Module):
        weights = {name: each for name, each in value.state_dict().items() if _is_tensor(each)}
        return {
            "class": _qualified(type(value)),
            "form": repr(value),
            "weights": tensor_digest(weights),
        }
    if isinstance(value, type):
        return _qualified(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Set):
        return sorted(str(plain(each)) for each in value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(each) for each in value]
    return value


def values_within(thing: object) -> dict[str, object]:
    """The plain values that a callable or an object brings along; its code is `code_digest`'s.

    Of a function those that it names outside of itself, and its defaults; of a partial one the
    arguments too; of an object its attributes.
    """
    if isinstance(thing, partial):
        given = {"args": thing.args, "keywords": thing.keywords}
        return {**only_plain(given), "of": values_within(thing.func)}
    if inspect.isfunction(thing):
        named = inspect.getclosurevars(thing)
        defaults = {"defaults": thing.__defaults__, "keywords": thing.__kwdefaults__}
        return only_plain({**named.globals, **named.nonlocals, **defaults})
    return only_plain(getattr(thing, "__dict__", {}))


def only_plain(values: Mapping[str, object]) -> dict[str, object]:
    """Of `values` what JSON can hold once it is made plain."""
    found = {}
    for name, value in values.items():
        try:
            json.dumps(made := plain(value))
        except (TypeError, ValueError):
            continue
        found[name] = made
    return found


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
