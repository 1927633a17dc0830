"""The published splits that archives do not carry, and the names of WordNet ids."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any


def classes(name: str) -> dict[str, list[str]]:
    """WordNet ids or class numbers by split, each split sorted.

    Args:
        name: "mini_imagenet" (Ravi & Larochelle, ICLR 2017), "tiered_imagenet" (Ren et al.,
            ICLR 2018) or "cub" (100 / 50 / 50 species, as FEAT, CVPR 2020, divides them).
    """
    listing = files("syntrans_l2l.datasets") / "splits" / f"{name}.json"
    splits = json.loads(listing.read_text(encoding="utf-8"))
    return {split: sorted(ids.split()) for split, ids in splits.items()}


def imagenet() -> Any:
    """timm's table of ImageNet's 1,000 classes, in the order of classifiers' outputs."""
    from timm.data import ImageNetInfo

    return ImageNetInfo("imagenet-1k")


def wordnet_lemmas(wnids: Sequence[str]) -> dict[str, list[str]]:
    """The words of ImageNet classes, the usual one first: "n02110341" -> dalmatian, coach dog."""
    info = imagenet()
    return {wnid: info.label_name_to_description(wnid).split(", ") for wnid in wnids}


def wordnet_names(wnids: Sequence[str]) -> tuple[str, ...]:
    """The first word of each, which is unique within miniImageNet and tieredImageNet."""
    lemmas = wordnet_lemmas(wnids)
    return tuple(lemmas[wnid][0] for wnid in wnids)
