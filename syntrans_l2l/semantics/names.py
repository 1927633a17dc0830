"""How a class is called in a sentence, and which of a word's senses it has."""

import re
from functools import cache
from typing import Any, cast

_WNID = re.compile(r"n\d{8}")
_NUMBER = re.compile(r"^\d+\.")  # CUB's folders: "012.Yellow_headed_Blackbird"


def readable(class_name: str) -> str:
    """The name as a text encoder should read it.

    Of a path, "train/maple_tree", the last part is the name. Underscores of folder names become
    spaces, CUB's numbers go, and a WordNet id becomes its first synonym.

    Raises:
        ValueError: a WordNet id that ImageNet does not have.
    """
    name = _last_part(class_name)
    if _WNID.fullmatch(name):
        return synonyms(name)[0]
    return _NUMBER.sub("", name).replace("_", " ").strip()


def sense(class_name: str) -> str:
    """The gloss of a WordNet id; empty for any other name."""
    name = _last_part(class_name)
    return gloss(name) if _WNID.fullmatch(name) else ""


def wordnet_senses() -> dict[str, str]:
    """Glosses by first synonym, for data sets that call ImageNet's classes so.

    The two synonyms that several classes share, crane and maillot, are left out.
    """
    return {word: gloss(wnid) for word, wnid in _by_first_synonym().items()}


def wordnet_id(class_name: str) -> str:
    """The id of a class that is called by its id or by its first synonym.

    Raises:
        ValueError: ImageNet has no such class, or several.
    """
    name = _last_part(class_name)
    if _WNID.fullmatch(name):
        synonyms(name)
        return name
    word = readable(class_name)
    if word not in _by_first_synonym():
        raise ValueError(f"{class_name!r} names none or several of ImageNet's classes")
    return _by_first_synonym()[word]


def _last_part(class_name: str) -> str:
    return class_name.rstrip("/").rpartition("/")[2]


def synonyms(wnid: str) -> list[str]:
    """The lemmas of a WordNet id.

    Raises:
        ValueError: a WordNet id that ImageNet does not have.
    """
    return _description(wnid, detailed=False).split(", ")


def gloss(wnid: str) -> str:
    """The definition of a WordNet id.

    Raises:
        ValueError: a WordNet id that ImageNet does not have.
    """
    lemmas = _description(wnid, detailed=False)
    return _description(wnid, detailed=True).removeprefix(f"{lemmas}: ")


def _description(wnid: str, *, detailed: bool) -> str:
    try:
        return str(_imagenet().label_name_to_description(wnid, detailed=detailed))
    except KeyError:
        raise ValueError(
            f"WordNet id {wnid!r} is none of ImageNet's; ids look like n02110341"
        ) from None


@cache
def _by_first_synonym() -> dict[str, str]:
    """Ids by their first synonym, where it is one id's alone."""
    found: dict[str, list[str]] = {}
    for wnid in _imagenet().label_names():
        found.setdefault(synonyms(wnid)[0], []).append(wnid)
    return {word: wnids[0] for word, wnids in found.items() if len(wnids) == 1}


@cache
def _imagenet() -> Any:
    from timm.data.imagenet_info import ImageNetInfo

    return cast(Any, ImageNetInfo("imagenet-1k"))
