"""Pickles from the network, read without running them: numpy arrays and plain containers only."""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np

# what the pickles of numpy 1 and 2, of Python 2 and 3, call the two functions that make arrays
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric",
                  "numpy._core.numeric")  # fmt: skip
_NDARRAY = object()  # named as an argument alone: called, it would make arrays of raw addresses
_scalar = np.float64(0).__reduce__()[0]
_frombuffer = np.empty(1).__reduce_ex__(5)[0]


def _empty(kind: object, shape: tuple[int, ...], code: bytes) -> object:
    """numpy's `_reconstruct`, for plain arrays alone."""
    if kind is not _NDARRAY:
        raise pickle.UnpicklingError("an array of another kind")
    return np.empty(0).__reduce__()[0](np.ndarray, shape, code)  # type: ignore[operator]


def _latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    """What protocol 2 makes bytes with, held to the one encoding that it uses."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _latin1_bytes,
    **{(module, "_reconstruct"): _empty for module in _ARRAY_MODULES},
    **{(module, "scalar"): _scalar for module in _ARRAY_MODULES},
    **{(module, "_frombuffer"): _frombuffer for module in _ARRAY_MODULES},
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")
        for kind in (bytearray, bytes, complex, dict, frozenset, list, set, tuple)
    },
}


class _PlainUnpickler(pickle.Unpickler):
    """Finds nothing but what is allowed."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _ALLOWED[module, name]  # type: ignore[return-value]


def unpickle(path: Path) -> object:
    """The arrays and containers in a pickle of Python 2 or 3; keys of dicts become text.

    Python 2's strings come as bytes, so that arrays take them over without a copy.

    Raises:
        ValueError: the file is no pickle, is cut off, or asks for anything but data.
    """
    try:
        with path.open("rb") as file:
            return _text_keys(_PlainUnpickler(file, encoding="bytes").load())
    except (pickle.UnpicklingError, EOFError, ImportError, IndexError, AttributeError, KeyError,
            TypeError, ValueError, UnicodeDecodeError, MemoryError, OverflowError,
            RecursionError) as error:  # fmt: skip
        raise ValueError(
            f"{path} is refused: {' '.join(str(error).split()) or 'it is no whole pickle'}; only "
            "arrays and plain containers are read, so fetch the file anew from its source"
        ) from error


def text(value: object) -> str:
    """A string of either Python."""
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _text_keys(value: object) -> object:
    if isinstance(value, dict):
        return {
            text(key) if isinstance(key, bytes) else key: _text_keys(each)
            for key, each in value.items()
        }
    return value
