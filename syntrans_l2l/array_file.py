"""Files of arrays and names that people bring: npz or safetensors, read without pickles."""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor


def normal_name(name: str) -> str:
    """The composed Unicode form (NFC): what looks the same is the same, wherever it was typed."""
    return unicodedata.normalize("NFC", name)


def loose_name(name: str) -> str:
    """A name without what people write in different ways: case, blanks, underscores, hyphens."""
    return " ".join(re.split(r"[\s_-]+", normal_name(name).casefold())).strip()


def as_tensor(values: object, name: str) -> Tensor:
    """A tensor of what NumPy or Python calls an array, in the machine's own order of bytes.

    Args:
        values: a tensor, an array or a list.
        name: what errors call them.

    Raises:
        ValueError: they are no numbers.
    """
    try:
        return values if isinstance(values, Tensor) else torch.from_numpy(_native(values))
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{name} are no numbers ({_one_line(error)})") from error


def as_labels(values: object, name: str = "labels") -> Tensor:
    """Labels as [n] int64, from integers of any type or whole fractions, in any container.

    Raises:
        ValueError: not one list of whole numbers; the message says what it is instead.
    """
    given = as_tensor(values, name)
    if given.ndim != 1 or given.dtype == torch.bool or given.is_complex():
        raise ValueError(
            f"{name} must be one list of integers, got {given.dtype} {list(given.shape)}"
        )
    if given.dtype == torch.int64:
        return given
    if given.is_floating_point():
        whole = given.double()
        if not (whole.isfinite().all() and torch.equal(whole, whole.round())):
            raise ValueError(f"{name} are not whole numbers, but {given.dtype}; give integers")
    labels = given.long()
    # what 64 bits with a sign cannot hold, comes back as another number
    if not torch.equal(labels.double(), given.double()):
        raise ValueError(f"{name} are beyond 64 bits; number the classes from 0")
    return labels


def as_vectors(values: object, name: str) -> Tensor:
    """Features or class vectors as float32, from numbers of any width, in any container.

    Raises:
        ValueError: they are no numbers, truth values or complex.
    """
    given = as_tensor(values, name)
    if given.dtype == torch.bool or given.is_complex():
        raise ValueError(f"{name} must be real numbers, got {given.dtype}")
    return given.float()


def read_arrays(
    path: Path,
    tensors: Sequence[str],
    lists: Sequence[str],
    *,
    form: str,
    optional: Sequence[str] = (),
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """The named tensors and lists of text; in safetensors the lists are JSON in the metadata.

    Text is given in its normal form: see `normal_name`.

    Args:
        path: of either format, by its suffix.
        tensors: names of what must be there.
        lists: names of lists of text that must be there.
        form: what such a file looks like, for the error.
        optional: names of tensors that may be there.

    Raises:
        ValueError: something is missing or cannot be read.
    """
    with _named(path, form):
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                present = [name for name in optional if name in file.keys()]  # noqa: SIM118
                found = {name: file.get_tensor(name) for name in (*tensors, *present)}
            return found, {name: _texts(json.loads(metadata[name]), name) for name in lists}
        with np.load(path, allow_pickle=False) as file:
            present = [name for name in optional if name in file]
            found = {name: torch.from_numpy(_native(file[name])) for name in (*tensors, *present)}
            return found, {name: _texts(file[name].tolist(), name) for name in lists}


def read_texts(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Those of the named single texts that a file has, each in one line.

    Raises:
        ValueError: one cannot be read.
    """
    with _named(path, f"{', '.join(names)} are single texts"):
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            found = {name: metadata[name] for name in names if name in metadata}
        else:
            with np.load(path, allow_pickle=False) as file:
                found = {name: _text(file[name].item()) for name in names if name in file}
        return {name: " ".join(text.split()) for name, text in found.items()}


@contextmanager
def _named(path: Path, form: str) -> Iterator[None]:
    """Name the file and its form in whatever the readers of the two formats raise."""
    try:
        yield
    except Exception as error:  # a damaged file leads them to errors of any type
        reason = f"{type(error).__name__}: {_one_line(error)}"
        raise ValueError(f"{path} cannot be read ({reason}); {form}") from error


def _texts(values: object, name: str) -> list[str]:
    if not isinstance(values, list):
        raise ValueError(f"{name} is no list")
    return [normal_name(_text(each)) for each in values]


def _text(value: object) -> str:
    """A text, or a number as text.

    Raises:
        ValueError: it is neither, or text that no file can hold.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{value!r} is no text")
    return str(value).encode().decode()


def _native(values: object) -> NDArray[np.generic]:
    """An array in the machine's own order of bytes, which is the only one torch reads."""
    array = np.asarray(values)
    return np.require(array, array.dtype.newbyteorder("="), ["C", "W"])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
