"""The README of a saved algorithm: what it is, in plain facts."""

from collections.abc import Mapping
from typing import Any

_HEAD = """---
library_name: syntrans_l2l
tags: [few-shot-learning, learn2learn]
---
# SynTrans, a few-shot classifier

Made by syntrans_l2l after Tang, He, Qin, "Connecting Giants", IJCAI 2025. Read it with
`SynTrans.from_pretrained(FOLDER)`; where an encoder was saved with it, pass `features=` a module
like that encoder, and `projection=` one like its projection.
"""


def model_card(config: Mapping[str, Any]) -> str:
    """Markdown with the front matter that the hub reads.

    Args:
        config: what the folder's config.json holds.
    """
    classifier, names = config["classifier"], config["class_names"]
    learned = config["alpha"] is None
    facts = {
        "Features": f"width {classifier['visual_dim']}",
        "Class vectors": f"width {classifier.get('semantic_dim', 'none: a visual classifier')}",
        "Base classes": classifier["base_classes"],
        "Alpha, the share of the visual weight": "learned" if learned else config["alpha"],
        "Semantic weight": config["semantic_weight"],
        "Whitened weight": config["whitened_weight"],
        "Aligned weight": config["aligned_weight"],
        "Text encoder": config["text_encoder"] or "not recorded",
        "Prompt": config["prompt"] or "not recorded",
    }
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "## Classes", ""]
    lines += [f"{row}. {name}" for row, name in enumerate(names)] or ["Not recorded."]
    return "\n".join([_HEAD, *lines, ""])
