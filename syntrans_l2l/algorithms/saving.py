"""SynTrans written to a folder and read from one."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from torch import nn

from syntrans_l2l.algorithms import pretrained
from syntrans_l2l.algorithms.parts import FittedParts
from syntrans_l2l.networks.whitening import WhitenedView

if TYPE_CHECKING:  # it imports learn2learn, which takes seconds
    from syntrans_l2l.algorithms.syntrans import SynTrans

Own = TypeVar("Own", bound="SynTrans")


def write(algorithm: "SynTrans", folder: str | Path) -> None:
    """`SynTrans.save_pretrained`: numbers as safetensors, the rest as JSON, and a model card."""
    config = {
        "alpha": algorithm.alpha,
        "semantic_weight": algorithm.semantic_weight,
        "whitened_weight": algorithm.whitened_weight,
        "aligned_weight": algorithm.aligned_weight,
        "projection": None if algorithm.projection is None else type(algorithm.projection).__name__,
        "text_encoder": algorithm.text_encoder,
        "prompt": algorithm.prompt,
        "class_names": list(algorithm.class_names),
        "classifier": pretrained.describe(algorithm.classifier),
    }
    tables = {"semantics": algorithm.semantics, "aligned_vectors": algorithm.aligned_vectors}
    pretrained.save(Path(folder), config, algorithm.state_dict(), tables)


def read(
    kind: type[Own],
    name_or_path: str | Path,
    features: nn.Module | None,
    projection: nn.Module | None,
) -> Own:
    """`SynTrans.from_pretrained`, for SynTrans or a class made of it."""
    saved = pretrained.load(name_or_path)
    config, described = saved.config, saved.config["classifier"]
    view = None
    if config["whitened_weight"]:
        view = WhitenedView(described["visual_dim"], described.get("semantic_dim", 0))
    algorithm = kind(
        features or nn.Identity(),
        pretrained.rebuild(described),
        alpha=config["alpha"],
        semantic_weight=config["semantic_weight"],
        fitted=FittedParts(
            view=view,
            whitened_weight=config["whitened_weight"],
            aligned_weight=config["aligned_weight"],
        ),
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
