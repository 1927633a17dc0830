"""Several describers, one list: who agrees with whom is counted."""

from collections.abc import Sequence
from dataclasses import replace

from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.descriptors import Describer, Descriptor


class Collaboration:
    """The union of what several describers write; one refiner may then judge all of it.

    A phrase that several of them wrote, but for case and punctuation at its ends, is there
    once: by its first writer, with the number of those who agree.

    Args:
        describers: at least one; each class must be described by one of them.

    Raises:
        ValueError: no describer.
    """

    def __init__(self, describers: Sequence[Describer]) -> None:
        if not describers:
            raise ValueError("Collaboration needs at least one describer")
        self.describers = list(describers)
        self.source = " + ".join(describer.source for describer in self.describers)

    def key(self) -> dict[str, object]:
        return {"collaboration": [describer.key() for describer in self.describers]}

    def describe(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        found: dict[tuple[str, str], Descriptor] = {}
        for describer in self.describers:
            own: set[tuple[str, str]] = set()
            for descriptor in describer.describe(class_names, progress):
                place = (descriptor.class_name, _plain(descriptor.phrase))
                earlier = found.get(place)
                if earlier is None or (descriptor.kept and not earlier.kept):
                    found[place] = descriptor
                elif descriptor.kept and place not in own:
                    found[place] = replace(earlier, agreement=earlier.agreement + 1)
                own.add(place)
        order = {name: row for row, name in enumerate(class_names)}
        return sorted(found.values(), key=lambda descriptor: order[descriptor.class_name])


def _plain(phrase: str) -> str:
    return " ".join(phrase.casefold().split()).strip(" .,;:!?\"'")
