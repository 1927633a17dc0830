"""Weights as people publish them, read without code, and fitted to a network."""

import itertools
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

_FORMS = ("state_dict", "model_state_dict", "params", "model", "net", "network", "backbone")
_PREFIXES = ("encoder.", "module.", "backbone.", "features.", "model.", "network.", "net.")
_HEADS = ("fc.", "classifier.", "head.", "heads.", "linear.", "logits.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict of a file: as it is, or under a customary name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, needs code to be read, or holds no state dict.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is no safetensors file ({error})") from error
    try:
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} cannot be read as tensors alone; save it with "
            f"torch.save(model.state_dict(), path) ({reason[:120]})"
        ) from error
    for _ in range(len(_FORMS)):
        if (tensors := _tensors(content)) or not isinstance(content, Mapping):
            break
        content = next((content[form] for form in _FORMS if form in content), None)
    if not tensors:
        raise ValueError(
            f"{path} holds no state dict, as it is or under one of {', '.join(_FORMS)}"
        )
    return tensors


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put weights into a network, all of whose own must be there.

    A prefix before every weight of the network is taken off, and what stands outside of it is
    another part of the saved model. Beside the network's own weights only heads are left out.

    Args:
        module: the network.
        weights: by their names in the file.
        path: the file, for errors.

    Raises:
        ValueError: a weight is missing, unexpected or of another shape; the message names the
            first of them.
    """
    own = module.state_dict()
    # older files lack the count of batches, which nothing here reads
    needed = {name for name in own if not name.endswith("num_batches_tracked")}
    prefixes = ["", *_PREFIXES, *map("".join, itertools.product(_PREFIXES, repeat=2))]
    found = {
        prefix: {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
        for prefix in prefixes
    }
    whole = [prefix for prefix in prefixes if needed and needed <= found[prefix].keys()]
    if len(whole) > 1:
        raise ValueError(
            f"{path} holds {type(module).__name__} more than once, under {', '.join(whole)}: save "
            "the one that is meant"
        )
    prefix = max(prefixes, key=lambda prefix: len(needed & found[prefix].keys()))
    there = found[prefix]
    missing = [name for name in own if name in needed and name not in there]
    unexpected = [n for n in there if n not in own and not n.startswith(_HEADS)]
    shapes = [
        f"{name} {list(there[name].shape)} for {list(own[name].shape)}"
        for name in own
        if name in there and there[name].shape != own[name].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    wrong = [f"{kind}: {_first(names)}" for kind, names in kinds.items() if names]
    if wrong:
        raise ValueError(f"{path} does not fit {type(module).__name__}: {'; '.join(wrong)}")
    module.load_state_dict({n: there[n] for n in own if n in there}, strict=False)


def _tensors(content: object) -> dict[str, Tensor]:
    """The content where it is a state dict, else nothing."""
    if not isinstance(content, Mapping) or not content:
        return {}
    fits = all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())
    return dict(content) if fits else {}


def _first(names: Sequence[str], count: int = 3) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
