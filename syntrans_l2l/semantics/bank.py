"""The SemanticBank: one vector a class, and where it came from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from syntrans_l2l.array_file import loose_name, normal_name
from syntrans_l2l.cache import tensor_digest


@dataclass(frozen=True)
class SemanticBank:
    """Semantic vectors of named classes.

    Args:
        class_names: C names, as the data set spells them.
        vectors: [C, M] float32.
        source: what made them, for the result record ("clip:ViT-B-32/openai", a file name).

    Raises:
        ValueError: shapes do not fit, a name occurs twice, or a vector is zero or not finite.
    """

    class_names: tuple[str, ...]
    vectors: Tensor
    source: str

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.class_names):
            raise ValueError(
                f"{self.source}: {len(self.class_names)} class names need vectors of shape "
                f"[{len(self.class_names)}, M], got {list(self.vectors.shape)}"
            )
        rows = Counter(map(normal_name, self.class_names))
        if twice := sorted(name for name, count in rows.items() if count > 1):
            raise ValueError(f"{self.source}: class names occur twice: {_some(twice)}")
        usable = self.vectors.isfinite().all(1) & (self.vectors != 0).any(1)
        if not usable.all():
            bad = [self.class_names[row] for row in torch.where(~usable)[0].tolist()]
            raise ValueError(
                f"{self.source}: vectors that are NaN, infinite or zero: {_some(bad)}; "
                "make these vectors again"
            )

    @property
    def digest(self) -> str:
        """Hash of names and vectors: the record's `descriptor_hash`."""
        names = torch.tensor(list("\n".join(self.class_names).encode()), dtype=torch.uint8)
        return tensor_digest({"names": names, "vectors": self.vectors})[:20]

    def select(self, class_names: Sequence[str]) -> Tensor:
        """The vectors of `class_names` in that order, [len(class_names), M].

        Names are compared by their Unicode normal form, and by nothing less: case counts.

        Raises:
            ValueError: a class has no vector; the message lists the missing names.
        """
        rows = {normal_name(name): row for row, name in enumerate(self.class_names)}
        missing = [name for name in class_names if normal_name(name) not in rows]
        if missing:
            raise ValueError(
                f"{self.source} lacks vectors for {len(missing)} of {len(class_names)} classes: "
                f"{_some([self._nearest(name) for name in missing])}; add them under exactly these "
                "names"
            )
        return self.vectors[[rows[normal_name(name)] for name in class_names]]

    def known(self, class_names: Sequence[str]) -> list[str]:
        """Those of the names that have a vector."""
        names = set(map(normal_name, self.class_names))
        return [name for name in class_names if normal_name(name) in names]

    def _nearest(self, class_name: str) -> str:
        """A missing name, and how the bank spells it, where only case or separators differ."""
        loose = [name for name in self.class_names if loose_name(name) == loose_name(class_name)]
        return f"{class_name} (there is {loose[0]!r})" if loose else class_name

    def shuffled(self, seed: int) -> "SemanticBank":
        """The control: the same vectors, each under another class's name."""
        count = len(self.class_names)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        donor = torch.empty_like(order)
        donor[order] = order.roll(1)  # one cycle through all classes: none keeps its own
        return SemanticBank(self.class_names, self.vectors[donor], f"{self.source} (shuffled)")


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
