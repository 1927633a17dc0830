"""Descriptors that somebody has written already: shipped with the package, or in a JSON file."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from itertools import product
from pathlib import Path

from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.cleaning import names_only
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.names import readable

_LONGEST = 60  # words of a phrase
SHIPPED = ("cifar100", "cub", "imagenet")


class Written:
    """Phrases by class name, from a JSON file: {"NAME": ["phrase", ...], ...}.

    A phrase completes "a photo of a NAME, which has ...", or is a whole sentence. A class is found
    under exactly its name, else by what is like it: without case, underscores, hyphens and CUB's
    numbers; the classes of a file of WordNet ids are found by their first synonym too.

    Args:
        path: the file.
        written_by: who wrote it, for the record; empty takes the file's name.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: str | Path, *, written_by: str = "") -> None:
        self.path = Path(path).expanduser()
        if not self.path.is_file():
            raise FileNotFoundError(
                f"no file of descriptors at {self.path}; it is JSON of the form "
                '{"class name": ["phrase", "phrase"]}'
            )
        self.source = written_by or self.path.name
        self.prompt = f"phrases read from {self.path.name}"

    @cached_property
    def phrases(self) -> Mapping[str, Sequence[str]]:
        """The file's phrases by class name.

        Raises:
            ValueError: the file is not of the stated form, or a class occurs twice or is empty.
        """
        return _checked(_json(self.path), str(self.path))

    def key(self) -> dict[str, object]:
        text = json.dumps(dict(self.phrases), sort_keys=True)
        return {"written": hashlib.sha256(text.encode()).hexdigest(), "by": self.source}

    def describe(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        """As the protocol says.

        Raises:
            ValueError: a class has no phrases, or does not say which of several it means.
        """
        found = {name: self._key(name) for name in class_names}
        missing = [name for name, key in found.items() if key is None]
        if missing:
            raise ValueError(
                f"{self.source}: no descriptors for {len(missing)} of {len(class_names)} classes: "
                f"{', '.join(missing[:8])}; add them under exactly these names"
            )
        readers: dict[str | None, str] = {}
        for name, key in found.items():
            other = readers.setdefault(key, name)
            if readable(other) != readable(name):  # one class of two domains is one class
                raise ValueError(
                    f"{self.source}: the classes {other!r} and {name!r} would both read the "
                    f"phrases of {key!r}; give each its own, under exactly these names"
                )
        return [
            Descriptor(class_name=name, phrase=phrase, written_by=self.source, prompt=self.prompt)
            for name, key in found.items()
            for phrase in self.phrases[str(key)]
        ]

    def check(self, class_names: Sequence[str]) -> None:
        self.describe(class_names)  # names the classes that it lacks

    def _key(self, class_name: str) -> str | None:
        """What the file calls a class: exactly so, else the one name that is like it.

        Raises:
            ValueError: several names of the file are like it.
        """
        if class_name in self.phrases:
            return class_name
        spellings = _plain(class_name), _plain(readable(class_name))
        for names, spelling in product(self._alike, spellings):
            keys = names.get(spelling, [])
            if len(keys) > 1:
                raise ValueError(
                    f"{self.source}: the class {class_name!r} may be any of {', '.join(keys)}; "
                    "call it exactly as the file does"
                )
            if keys:
                return keys[0]
        return None

    @cached_property
    def _alike(self) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
        """The file's names by what they are looked up under: as they are, and as they are read."""
        plain: dict[str, list[str]] = {}
        spoken: dict[str, list[str]] = {}
        for key in self.phrases:
            plain.setdefault(_plain(key), []).append(key)
            spoken.setdefault(_plain(readable(key)), []).append(key)
        # two WordNet ids that share a first synonym are found by their ids only
        return plain, {name: keys for name, keys in spoken.items() if len(keys) == 1}


class Shipped(Written):
    """The descriptors that come with this package, written for it.

    Args:
        name: "cifar100", "cub" or "imagenet" (miniImageNet's and tieredImageNet's ids).

    Raises:
        ValueError: no such descriptors, or a file that does not match its hash.
    """

    def __init__(self, name: str) -> None:
        if name not in SHIPPED:
            raise ValueError(f"no shipped descriptors {name!r}; there are {', '.join(SHIPPED)}")
        path = files("syntrans_l2l") / "assets" / "descriptors" / f"{name}.json"
        super().__init__(Path(str(path)))
        content = _json(self.path)
        self._shipped = _checked(content.get("classes"), name)
        if content.get("sha256") != phrases_digest(self._shipped):
            raise ValueError(
                f"{self.path} does not match its hash: it was changed after it was shipped; "
                "install syntrans_l2l again, or read your own phrases with Written"
            )
        self.source = str(content["written_by"])
        self.prompt = str(content["prompt"])

    @cached_property
    def phrases(self) -> Mapping[str, Sequence[str]]:
        return self._shipped


def phrases_digest(phrases: Mapping[str, Sequence[str]]) -> str:
    """SHA-256 of phrases by class, whatever the order of the classes and the layout."""
    text = json.dumps({name: list(phrases[name]) for name in sorted(phrases)})
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(name: str) -> str:
    """A name without what spellings differ in."""
    name = unicodedata.normalize("NFC", name)
    bare = name.split(".", 1)[1] if name[:3].isdigit() and "." in name else name
    return " ".join(bare.replace("_", " ").replace("-", " ").casefold().split())


def _json(path: Path) -> dict[str, object]:
    """The object in a file of UTF-8, with or without a byte order mark."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"class names occur twice: {', '.join(sorted(twice)[:8])}")
        return dict(pairs)

    try:
        content = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=unique)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: {error}; save it as UTF-8") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a JSON object of class names is wanted")
    return content


def _checked(content: object, where: str) -> dict[str, list[str]]:
    """Lists of phrases by class, none empty."""
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{where}: a JSON object of class names is wanted")
    for name, phrases in content.items():
        if (
            not isinstance(phrases, list)
            or not phrases
            or not all(isinstance(phrase, str) and phrase.strip() for phrase in phrases)
        ):
            raise ValueError(f"{where}: class {name!r} needs a list of phrases that are not empty")
        for phrase in phrases:
            if len(phrase.split()) > _LONGEST or "<" in phrase or names_only(phrase, name):
                raise ValueError(
                    f"{where}: class {name!r} has {phrase[:60]!r}, which is longer than {_LONGEST} "
                    "words, has markup, or names the class only: mend the file"
                )
    return content
