"""SynMine: describe, refine, encode. Training-free; it reads class names and nothing else."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.descriptors import Describer, Descriptor, Refiner, prompt
from syntrans_l2l.teacher import ClipTeacher


class SynMine:
    """Class vectors from descriptors: the normalised mean of `T("a photo of a c, which has d")`.

    The paper's stage as its abstract tells it; the encoding is our reconstruction.

    Args:
        teacher: whose text tower encodes.
        describer: writes the phrases.
        refiner: judges them; None keeps all.
    """

    def __init__(
        self, teacher: ClipTeacher, describer: Describer, refiner: Refiner | None = None
    ) -> None:
        self.teacher = teacher
        self.describer = describer
        self.refiner = refiner
        refined = f"refined by {refiner.source}" if refiner else "unrefined"
        self.source = f"SynMine ({describer.source}, {refined}), {teacher.source}"

    def key(self) -> dict[str, object]:
        refiner = self.refiner.key() if self.refiner else {}
        return {"synmine": self.teacher.digest, **self.describer.key(), **refiner}

    def mine(self, class_names: Sequence[str]) -> list[Descriptor]:
        """All descriptors, dropped ones included.

        Raises:
            ValueError: a class is left without a phrase; the message names it.
        """
        descriptors = self.describer.describe(class_names)
        if self.refiner is not None:
            descriptors = self.refiner.refine(descriptors)
        kept = {descriptor.class_name for descriptor in descriptors if descriptor.kept}
        empty = [name for name in class_names if name not in kept]
        if empty:
            raise ValueError(f"{self.source}: no descriptor for {', '.join(empty[:8])}")
        return descriptors

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        kept = [descriptor for descriptor in self.mine(class_names) if descriptor.kept]
        texts = self.teacher.text_features([prompt(d.class_name, d.phrase) for d in kept])
        rows = {name: row for row, name in enumerate(class_names)}
        owner = torch.tensor([rows[descriptor.class_name] for descriptor in kept])
        sums = torch.zeros(len(rows), texts.shape[1]).index_add(0, owner, texts)
        return SemanticBank(tuple(class_names), F.normalize(sums, dim=-1), self.source)
