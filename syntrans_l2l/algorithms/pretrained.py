"""A trained SynTrans on disk or on the hub: weights as safetensors, JSON, and a model card."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from syntrans_l2l.algorithms.model_card import model_card
from syntrans_l2l.atomic import atomic
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator

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


def save(
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


def describe(classifier: MultimodalClassifier) -> dict[str, object]:
    """All that `rebuild` needs besides the weights."""
    generator, reconstructor = classifier.generator, classifier.reconstructor
    description: dict[str, object] = {
        "base_classes": generator.memory.shape[0],
        "visual_dim": generator.memory.shape[1],
        "attention": generator.attention,
        "bridges": len(classifier.bridges),
    }
    if reconstructor is not None:
        bridge = classifier.bridges[0]
        residual = reconstructor.residual
        description |= {
            "semantic_dim": bridge.semantic_dim,
            "hidden": bridge.visual_to_semantic.hidden,
            "condition_on_visual": bridge.condition_on_visual,
            "residual": None if residual is None else residual.hidden,
        }
    return description


def rebuild(description: Mapping[str, Any]) -> MultimodalClassifier:
    """A classifier of this description, its weights to be loaded; the bridges are frozen."""
    visual_dim = description["visual_dim"]
    memory = torch.zeros(description["base_classes"], visual_dim)
    generator = VisualWeightGenerator(memory, description["attention"])
    reconstructor = None
    if description["bridges"]:
        semantic_dim, residual = description["semantic_dim"], description["residual"]
        bridges = [
            Bridge(
                visual_dim,
                semantic_dim,
                description["hidden"],
                condition_on_visual=description["condition_on_visual"],
            )
            for _ in range(description["bridges"])
        ]
        reconstructor = SemanticWeightReconstructor(
            bridges, visual_dim, semantic_dim, residual or 0, residual=residual is not None
        )
    return MultimodalClassifier(generator, reconstructor)
