"""The generated benchmark: 100 combinations of attributes, drawn and not downloaded.

A class says what three or four of its five attributes are and leaves the others free, as
"dog" leaves the colour free: one picture does not tell which are free. Its name tells the shape
and what its siblings differ in; the rest is left to descriptors, as "sparrow" says nothing of
feathers. Novel classes are new combinations of values that base classes have shown. Numbers say
nothing about photographs: label them as generated wherever they stand.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from syntrans_l2l.cache import Cache, digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.attributes import VALUES
from syntrans_l2l.datasets.base import FewShotData, Split
from syntrans_l2l.datasets.concepts import Concept, draw_attributes
from syntrans_l2l.datasets.rendering import render
from syntrans_l2l.progress import Progress, silent

_T = TypeVar("_T")

CLASSES_PER_SPLIT = {"train": 64, "validation": 16, "test": 20}
_CLASS_SEED = 292  # of 3,000 seeds, the one that spreads the values most evenly over the splits
_FREE = (1, 2)  # attributes that a family leaves free; more of them make 1 shot harder


def class_concepts() -> dict[str, tuple[Concept, ...]]:
    """The classes of each split: always the same 64, 16 and 20; no picture shows two."""
    return _by_split([concept for family in _families() for concept in family])


def class_names() -> dict[str, tuple[str, ...]]:
    """The names of the classes of each split, in the order of `class_concepts`; all differ."""
    return _by_split([name for family in _families() for name in _names(family)])


def _by_split(items: Sequence[_T]) -> dict[str, tuple[_T, ...]]:
    rest = iter(items)
    return {
        split: tuple(itertools.islice(rest, count)) for split, count in CLASSES_PER_SPLIT.items()
    }


def _names(family: Sequence[Concept]) -> list[str]:
    """The shape and what tells siblings apart."""
    told = [
        name
        for name in family[0].values
        if name == "shape" or len({concept.values[name] for concept in family}) > 1
    ]
    return [Concept(**{name: concept.values[name] for name in told}).name for concept in family]


def _families() -> list[list[Concept]]:
    """Families of four: two values of one attribute times two of another.

    So each class has siblings that differ from it in one or two attributes only. Families are
    dealt from one deck of values per attribute, base classes first: all values occur there.
    """
    chance = random.Random(_CLASS_SEED)
    decks = {attribute: _deck(values, chance) for attribute, values in VALUES.items()}
    pairs = _deck(tuple(itertools.combinations(VALUES, 2)), chance)
    frees = _deck(_FREE, chance)
    families: list[list[Concept]] = []
    while sum(map(len, families)) < sum(CLASSES_PER_SPLIT.values()):
        varied = next(pairs)
        fixed = [name for name in VALUES if name not in varied]
        free = chance.sample([name for name in fixed if name != "shape"], next(frees))
        choices = {
            name: _deal(decks[name], 2 if name in varied else 1)
            for name in VALUES
            if name not in free
        }
        family = [
            Concept(**dict(zip(choices, values, strict=True)))
            for values in itertools.product(*choices.values())
        ]
        earlier = itertools.chain.from_iterable(families)
        if all(new.excludes(old) for old in earlier for new in family):
            families.append(family)
    return families


def _deck(values: Sequence[_T], chance: random.Random) -> Iterator[_T]:
    """Shuffled values without end, all of them before any returns."""
    while True:
        yield from chance.sample(values, len(values))


def _deal(deck: Iterator[str], count: int) -> list[str]:
    """The next `count` values that differ."""
    hand: dict[str, None] = {}
    while len(hand) < count:
        hand[next(deck)] = None
    return list(hand)


class Generated:
    """The generated benchmark.

    Args:
        images_per_class: of each of the 100 classes.
        size: pixels of a side.
        seed: of the images; the classes stay the same.
        nuisance: what makes it hard: the strength of jitter, clutter, distractors,
            occlusion, lighting and noise together; 0 is none.

    Raises:
        ValueError: a setting that cannot be drawn.
    """

    name = "generated"

    def __init__(
        self,
        *,
        images_per_class: int = 150,
        size: int = 32,
        seed: int = 0,
        nuisance: float = 1.0,
    ) -> None:
        if images_per_class < 1 or size < 16 or nuisance < 0:
            raise ValueError(
                "Generated needs images_per_class >= 1, size >= 16 and nuisance >= 0, got "
                f"{images_per_class}, {size} and {nuisance}"
            )
        self.images_per_class = images_per_class
        self.size = size
        self.seed = seed
        self.nuisance = nuisance

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        return {
            split: dict.fromkeys(names, self.images_per_class)
            for split, names in class_names().items()
        }

    def check_images(self, root: Path, progress: Progress = silent) -> None:
        """Nothing to open: its images are drawn."""

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        """Draw all images on the first call; `root` is not read."""
        key = self._key()
        tensors = cache.get("images", key, lambda: self._draw(progress))
        parts = {}
        for split, names in class_names().items():
            labels = torch.arange(len(names)).repeat_interleave(self.images_per_class)
            parts[split] = Split(tensors[split], labels, names)
        return FewShotData(self.name, fingerprint=digest(key), **parts)

    def _key(self) -> dict[str, object]:
        return {
            "images": self.name,
            "images_per_class": self.images_per_class,
            "size": self.size,
            "seed": self.seed,
            "nuisance": self.nuisance,
            "classes": {
                split: [concept.name for concept in concepts]
                for split, concepts in class_concepts().items()
            },
            "code": code_digest(__name__),
        }

    def _draw(self, progress: Progress) -> dict[str, Tensor]:
        """The images of each split, class by class."""
        generator = torch.Generator().manual_seed(self.seed)
        total = sum(CLASSES_PER_SPLIT.values()) * self.images_per_class
        tensors = {}
        with progress("drawing images", total=total, unit="img") as advance:
            for split, concepts in class_concepts().items():
                images = []
                for concept in concepts:
                    attributes = draw_attributes([concept] * self.images_per_class, generator)
                    images.append(
                        render(attributes, generator, size=self.size, nuisance=self.nuisance)
                    )
                    advance(self.images_per_class)
                tensors[split] = torch.cat(images)
        return tensors
