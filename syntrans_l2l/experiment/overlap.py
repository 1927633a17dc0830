"""Which classes two sets of classes share, whatever each calls them."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.semantics.names import readable, synonyms

_WNID = re.compile(r"n\d{8}")
# regular plurals, and what stands in the place of their ending
_PLURALS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"))


class NamedClass(NamedTuple):
    """A class by its name, and by its key in files."""

    name: str
    key: str


def named_classes(split: Split) -> list[NamedClass]:
    """The classes of a split, [C]."""
    return list(map(NamedClass, split.class_names, split.class_keys))


def shared_classes(seen: Iterable[NamedClass], tested: Iterable[NamedClass]) -> list[str]:
    """The names of the tested classes that are among the seen ones, in their order.

    Where both have a WordNet id, the ids decide. Else the names do, and a WordNet id stands for
    all of its synonyms. Case, underscores, hyphens, numbers before CUB's names and a regular
    plural of the last word do not count; mice and geese are other names than mouse and goose.
    """
    known: dict[str, set[str]] = {}  # the ids of the seen classes of a name; "" is no id
    for each in seen:
        for word in _words(each):
            known.setdefault(word, set()).add(_wnid(each))
    ids = set().union(*known.values()) - {""}
    return [each.name for each in tested if _is_among(each, known, ids)]


def _is_among(tested: NamedClass, known: dict[str, set[str]], ids: set[str]) -> bool:
    wnid = _wnid(tested)
    if wnid in ids:
        return True
    found = set().union(*(known.get(word, set()) for word in _words(tested)))
    return "" in found or (not wnid and bool(found))


def _wnid(of: NamedClass) -> str:
    """The WordNet id; empty where none is known."""
    parts = (text.rpartition("/")[2] for text in (of.key, of.name))
    return next((part for part in parts if _WNID.fullmatch(part)), "")


def _words(of: NamedClass) -> set[str]:
    """What the class may be called, in one spelling, and as what the singular may be."""
    found = [_readable(of.name)]
    if wnid := _wnid(of):
        try:
            found += synonyms(wnid)
        except ValueError:  # it is none of ImageNet's 1,000
            found += [wnid]
    return set().union(*map(_spelled, found))


def _readable(name: str) -> str:
    try:
        return readable(name)
    except ValueError:  # as above
        return name


def _spelled(name: str) -> set[str]:
    words = re.sub(r"[\s_-]+", " ", name).strip().casefold()
    if len(words) <= 3 or words.endswith("ss"):
        return {words}
    singular = (words.removesuffix(end) + new for end, new in _PLURALS if words.endswith(end))
    return {words, *singular}
