"""Names of things by their content: hashes of keys and of tensors."""

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor

Key = Mapping[str, object]


def digest(key: Key) -> str:
    """The name of `key`: 20 hexadecimal digits of the SHA-256 of its JSON."""
    return hashlib.sha256(as_json(key).encode()).hexdigest()[:20]


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes, types and contents."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        sha.update(tensor.flatten().view(torch.uint8).numpy().data)
    return sha.hexdigest()


def as_json(key: Key) -> str:
    """The same text for the same key; what JSON does not know goes as its str()."""
    return json.dumps(key, sort_keys=True, default=str)
