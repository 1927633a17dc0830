"""A trained SynTrans, written as plain facts and weights, and made again from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from syntrans_l2l.algorithms import pretrained_files
from syntrans_l2l.algorithms.parts import FittedParts
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.networks.whitening import WhitenedView

if TYPE_CHECKING:  # it imports this module
    from syntrans_l2l.algorithms.syntrans import SynTrans


def save(algorithm: "SynTrans", folder: Path) -> None:
    """See `SynTrans.save_pretrained`. A learned alpha is null in the JSON."""
    mix, projection = vars(algorithm.mix), algorithm.projection
    config = {
        **mix,
        "alpha": None if isinstance(mix["alpha"], torch.Tensor) else mix["alpha"],
        "projection": None if projection is None else type(projection).__name__,
        "text_encoder": algorithm.text_encoder,
        "prompt": algorithm.prompt,
        "class_names": list(algorithm.class_names),
        "classifier": _described(algorithm.classifier),
    }
    tables = {"semantics": algorithm.semantics, "aligned_vectors": algorithm.aligned_vectors}
    pretrained_files.write(folder, config, algorithm.state_dict(), tables)


def read(
    name_or_path: str | Path, features: nn.Module | None, projection: nn.Module | None
) -> "SynTrans":
    """See `SynTrans.from_pretrained`."""
    from syntrans_l2l.algorithms.syntrans import SynTrans

    saved = pretrained_files.load(name_or_path)
    config, described = saved.config, saved.config["classifier"]
    classifier = _rebuilt(described)
    weights = {name: config[name] for name in vars(Mix())}
    if weights["alpha"] is None:
        weights["alpha"] = classifier.alpha_logit.sigmoid()
    mix = Mix(**weights)
    view = None
    if mix.whitened_weight:
        view = WhitenedView(described["visual_dim"], described.get("semantic_dim", 0))
    algorithm = SynTrans(
        features or nn.Identity(), classifier, mix=mix, fitted=FittedParts(view=view)
    )
    if projection is not None or config["projection"] == "Identity":
        algorithm.set_projection_(projection or nn.Identity())
    saved.load_into(algorithm)
    algorithm.semantics = saved.tables.get("semantics")
    algorithm.aligned_vectors = saved.tables.get("aligned_vectors")
    algorithm.class_names = tuple(config["class_names"])
    algorithm.text_encoder = config["text_encoder"]
    algorithm.prompt = config["prompt"]
    return algorithm.eval()


def _described(classifier: MultimodalClassifier) -> dict[str, object]:
    """All that `_rebuilt` needs besides the weights."""
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


def _rebuilt(description: Mapping[str, Any]) -> MultimodalClassifier:
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
