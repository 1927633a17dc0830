"""A trained SynTrans, written as plain facts and weights, and made again from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from syntrans_l2l.algorithms import pretrained_files
from syntrans_l2l.algorithms.class_table import ClassTable
from syntrans_l2l.algorithms.parts import FittedParts
from syntrans_l2l.algorithms.pretrained_files import Saved
from syntrans_l2l.algorithms.views import Views
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.networks.whitening import WhitenedView


class Pretrained(ClassTable, Views):
    """What of a `SynTrans` is saved: both of its halves."""

    def save_pretrained(self, folder: str | Path) -> None:
        """Write weights and class vectors as safetensors, the rest as JSON, and a model card."""
        alpha, projection = self.mix.alpha, self.projection
        config = {
            **vars(self.mix),
            "alpha": None if isinstance(alpha, Tensor) else alpha,  # None is learned
            "projection": None if projection is None else type(projection).__name__,
            "text_encoder": self.text_encoder,
            "prompt": self.prompt,
            "class_names": list(self.class_names),
            "classifier": _description(self.classifier),
        }
        tables = {"semantics": self.semantics, "aligned_vectors": self.aligned_vectors}
        pretrained_files.write(Path(folder), config, self.state_dict(), tables)

    def _fill(self, saved: Saved, projection: nn.Module | None) -> None:
        """Take over the weights, the tables and what is known of them."""
        config = saved.config
        if projection is not None or config["projection"] == "Identity":
            self.set_projection_(projection or nn.Identity())
        saved.load_into(self)
        self.semantics = saved.tables.get("semantics")
        self.aligned_vectors = saved.tables.get("aligned_vectors")
        self.class_names = tuple(config["class_names"])
        self.text_encoder = config["text_encoder"]
        self.prompt = config["prompt"]


def rebuilt(config: Mapping[str, Any]) -> tuple[MultimodalClassifier, Mix, FittedParts]:
    """What a `SynTrans` of this description is made of, its weights to be loaded."""
    described = config["classifier"]
    classifier, view = _classifier(described), None
    weights = {name: config[name] for name in vars(Mix())}
    if weights["alpha"] is None:
        weights["alpha"] = classifier.alpha_logit.sigmoid()
    if weights["whitened_weight"]:
        view = WhitenedView(described["visual_dim"], described.get("semantic_dim", 0))
    return classifier, Mix(**weights), FittedParts(view=view)


def _description(classifier: MultimodalClassifier) -> dict[str, object]:
    """All that `_classifier` needs besides the weights."""
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


def _classifier(description: Mapping[str, Any]) -> MultimodalClassifier:
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
