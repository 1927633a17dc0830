"""The files of a trained SynTrans: weights as safetensors, JSON and a model card."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from syntrans_l2l.algorithms.model_card import model_card
from syntrans_l2l.atomic import atomic

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
_FORMAT = "syntrans_l2l, version 1"
_TABLES = ("semantics", "aligned_vectors")  # of the task's classes; no part of the state


@dataclass(frozen=True)
class Saved:
    """What a folder holds; `place` is its name in messages."""

    place: str
    config: dict[str, Any]
    state: dict[str, Tensor]
    tables: dict[str, Tensor]

    def load_into(self, module: nn.Module) -> None:
        """Set the weights of `module`, all of them.

        Raises:
            ValueError: they do not fit.
        """
        try:
            module.load_state_dict(self.state)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self.place} does not fit; pass features= a module like the encoder that was "
                f"saved, and projection= one like its projection: {reason}"
            ) from error


def write(
    folder: Path,
    config: Mapping[str, object],
    state: Mapping[str, Tensor],
    tables: Mapping[str, Tensor | None],
) -> None:
    """Write `folder`, each file whole or not at all."""
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
    for name, table in tables.items():
        if table is not None:
            tensors[name] = table.detach().cpu().clone()
    with atomic(folder / WEIGHTS) as partial:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)
    texts = {
        CARD: model_card(config),
        CONFIG: json.dumps({"format": _FORMAT, **config}, indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        with atomic(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")


def load(name_or_path: str | Path) -> Saved:
    """Read a folder, fetched from the hub where there is none of this name.

    Raises:
        FileNotFoundError: neither a folder nor a model of the hub, or incomplete.
        ValueError: damaged, or of another format.
    """
    folder = Path(name_or_path).expanduser()
    if not folder.is_dir():
        folder = _from_hub(str(name_or_path))
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{name_or_path} lacks {' and '.join(missing)}; save it again")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"{name_or_path} is damaged ({error}); save it again") from error
    if not isinstance(config, dict) or config.get("format") != _FORMAT:
        raise ValueError(f"{name_or_path} is no SynTrans: {CONFIG} does not say {_FORMAT!r}")
    tables = {name: tensors.pop(name) for name in _TABLES if name in tensors}
    return Saved(str(name_or_path), _upgraded(config), tensors, tables)


def _upgraded(config: dict[str, Any]) -> dict[str, Any]:
    """The same in today's names, where an earlier release wrote it."""
    described = config["classifier"]
    old = {"visual": "visual_dim", "semantic": "semantic_dim"}
    return {
        "semantic_weight": config.get("b", 0.0),
        **{"whitened_weight": 0.0, "aligned_weight": 0.0, "projection": None},
        **{"text_encoder": "", "prompt": "", "class_names": []},
        **config,
        "classifier": {old.get(name, name): value for name, value in described.items()},
    }


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS]))
    except (OSError, ValueError) as error:  # the hub's errors are among these
        reason = " ".join(str(error).split())
        raise FileNotFoundError(
            f"no folder {name} here and no model {name} on the hub ({reason})"
        ) from error
