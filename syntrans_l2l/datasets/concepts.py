"""The words of the generated world: combinations of attributes, their names and true facts."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from syntrans_l2l.datasets.attributes import VALUES

# attribute -> value -> a phrase that is true of every object with that value
FACTS: Mapping[str, Mapping[str, str]] = {
    "shape": {
        "disc": "a filled circular disc",
        "square": "a square with four equal sides",
        "triangle": "a triangle with three corners",
        "star": "a star shape with five points",
        "ring": "a ring with a round hole in the middle",
        "cross": "a cross with four arms of equal length",
        "crescent": "a crescent like a thin moon",
        "heart": "a heart with two lobes and a tip",
        "arrow": "an arrow with a pointed head on a shaft",
        "leaf": "a slender leaf with two pointed ends",
    },
    "pattern": {
        "plain": "a plain surface of one colour",
        "striped": "a surface of parallel stripes",
        "checked": "a surface of checks like a chessboard",
        "dotted": "a surface of small round dots",
        "rippled": "a surface of concentric circles",
        "faded": "a surface that fades from one end to the other",
        "halved": "a surface divided into two halves",
    },
    "colour": {colour: f"{colour} in colour" for colour in VALUES["colour"]},
    "arrangement": {
        "single": "one of them alone",
        "pair": "two of them side by side",
        "stack": "two of them one above the other",
        "trio": "three of them, one above two",
    },
    "part": {
        "bare": "nothing added around it",
        "outline": "a thick black outline",
        "frame": "a thin white frame around it",
        "bar": "a white bar underneath",
        "ball": "a small white ball at an upper corner",
    },
}
_SUFFIXES = {
    "outline": "with_outline",
    "frame": "in_frame",
    "bar": "on_bar",
    "ball": "with_ball",
}


@dataclass(frozen=True)
class Concept:
    """One combination of attribute values; None leaves an attribute free.

    Raises:
        ValueError: a value that its attribute does not have.
    """

    shape: str
    pattern: str | None = None
    colour: str | None = None
    arrangement: str | None = None
    part: str | None = None

    def __post_init__(self) -> None:
        for attribute, value in self.values.items():
            if value not in VALUES[attribute]:
                known = ", ".join(VALUES[attribute])
                raise ValueError(f"unknown {attribute} {value!r}; known: {known}")

    @property
    def values(self) -> dict[str, str]:
        """Value by attribute, in the order of `VALUES`, without the free ones."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @property
    def name(self) -> str:
        """For instance striped_red_star_pair_with_ball, or bare_single_star."""
        words = (
            "bare" if self.part == "bare" else None,
            "single" if self.arrangement == "single" else None,
            self.pattern,
            self.colour,
            self.shape,
            self.arrangement if self.arrangement != "single" else None,
            _SUFFIXES.get(self.part or ""),
        )
        return "_".join(word for word in words if word)

    def facts(self) -> tuple[str, ...]:
        """A true phrase for each attribute that is not free, in the order of `VALUES`."""
        return tuple(FACTS[attribute][value] for attribute, value in self.values.items())

    def excludes(self, other: "Concept") -> bool:
        """Whether no picture can show both."""
        ours, theirs = self.values, other.values
        return any(ours[name] != theirs[name] for name in ours.keys() & theirs.keys())


def attribute_space() -> tuple[Concept, ...]:
    """All 11,200 combinations, in the order of `VALUES`, the last attribute fastest."""
    return tuple(Concept(*values) for values in itertools.product(*VALUES.values()))


def draw_attributes(concepts: Sequence[Concept], generator: torch.Generator) -> Tensor:
    """What `render` takes: positions in `VALUES`, free ones drawn uniformly; [n, 5] int64."""
    given_values = [concept.values for concept in concepts]
    columns = []
    for attribute, values in VALUES.items():
        drawn = torch.randint(len(values), (len(concepts),), generator=generator)
        rows = [values.index(g[attribute]) if attribute in g else -1 for g in given_values]
        given = torch.tensor(rows, dtype=torch.int64)
        columns.append(torch.where(given < 0, drawn, given))
    return torch.stack(columns, 1)
