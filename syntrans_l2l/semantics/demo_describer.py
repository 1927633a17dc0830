"""The describer of the generated world: writes as language models do, wrong phrases included."""

import random
from collections.abc import Sequence

from syntrans_l2l.datasets.concepts import FACTS, Concept
from syntrans_l2l.datasets.generated import class_concepts
from syntrans_l2l.datasets.generated import class_names as names_by_split
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.descriptors import Descriptor

VAGUE = (
    "an appearance that is easy to recognise",
    "a look that many people like",
    "a size that differs from place to place",
    "a simple and clear design",
    "a background that may be busy",
)


class DemoDescriber:
    """True phrases, vague ones and wrong ones about the classes of the generated world.

    It stands in for a language model, which cannot travel with this package; it knows the
    facts of each class and is told how often to be vague and wrong. What it writes depends
    on the class and the seed alone; describers of different seeds err differently.

    Args:
        vague: phrases a class that say nothing.
        wrong: phrases a class that hold for another value of one of the class's attributes.
        seed: of the choice.

    Raises:
        ValueError: more vague phrases than there are, or a negative number.
    """

    def __init__(self, *, vague: int = 2, wrong: int = 2, seed: int = 0) -> None:
        if not 0 <= vague <= len(VAGUE) or wrong < 0:
            raise ValueError(
                f"DemoDescriber needs vague from 0 to {len(VAGUE)} and wrong of 0 or more, got "
                f"{vague} and {wrong}"
            )
        self.vague = vague
        self.wrong = wrong
        self.seed = seed
        self.source = f"demo describer {seed}"

    def key(self) -> dict[str, object]:
        return {"describer": self.source, "vague": self.vague, "wrong": self.wrong}

    def describe(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        concepts, named = class_concepts(), names_by_split()
        known = {
            name: concept
            for split in named
            for name, concept in zip(named[split], concepts[split], strict=True)
        }
        missing = [name for name in class_names if name not in known]
        if missing:
            raise ValueError(
                f"the demo describer knows the generated world alone, not {missing[0]!r}; "
                "bind another describer"
            )
        return [
            Descriptor(
                class_name=name,
                phrase=phrase,
                written_by=self.source,
                prompt=f"the facts of {name}",
            )
            for name in class_names
            for phrase in self._phrases(known[name])
        ]

    def _phrases(self, concept: Concept) -> list[str]:
        chance = random.Random(f"{self.seed} {concept.name}")
        wrong = [
            phrase
            for attribute, value in concept.values.items()
            for other, phrase in FACTS[attribute].items()
            if other != value
        ]
        phrases = [
            *concept.facts(),
            *chance.sample(VAGUE, self.vague),
            *chance.sample(wrong, self.wrong),
        ]
        return chance.sample(phrases, len(phrases))
