"""Files of arrays and names that people bring: npz or safetensors, read without pickles."""

import json
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

# what the two formats' readers raise for a file that is not of the stated form
_FAULTS = (
    AttributeError,
    BadZipFile,
    EOFError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    SafetensorError,
)


def read_arrays(
    path: Path, tensors: Sequence[str], lists: Sequence[str], *, form: str
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """The named tensors and lists of text; in safetensors the lists are JSON in the metadata.

    Args:
        path: of either format, by its suffix.
        tensors: names of what must be there.
        lists: names of lists of text that must be there.
        form: what such a file looks like, for the error.

    Raises:
        ValueError: something is missing or cannot be read.
    """
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                found = {name: file.get_tensor(name) for name in tensors}
            return found, {
                name: [str(each) for each in json.loads(metadata[name])] for name in lists
            }
        with np.load(path, allow_pickle=False) as file:
            found = {name: torch.from_numpy(file[name]) for name in tensors}
            return found, {name: [str(each) for each in file[name]] for name in lists}
    except _FAULTS as error:
        raise ValueError(f"{path} cannot be read ({error!r}); {form}") from error


def read_texts(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Those of the named single texts that a readable file has."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return {name: metadata[name] for name in names if name in metadata}
    with np.load(path, allow_pickle=False) as file:
        return {name: str(file[name]) for name in names if name in file}
