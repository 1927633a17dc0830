"""SynMine: describe, refine, encode. Training-free; it reads class names and nothing else."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.checks import check_classes
from syntrans_l2l.semantics.collaboration import Collaboration
from syntrans_l2l.semantics.descriptors import Describer, Descriptor, Refiner, prompt
from syntrans_l2l.semantics.text_tower import TextTower


class SynMine:
    """Class vectors from descriptors: the normalised mean of `T("a photo of a c, which has d")`.

    The paper's stage as its abstract tells it; the encoding is our reconstruction. Vectors are
    centred where they are used, with the mean of the base classes.

    Args:
        tower: T, of CLIP or of a sentence encoder.
        describer: writes the phrases.
        refiner: judges them; None keeps all.
        temperature: t of the weights `softmax_d(score / t)`; None weighs all phrases alike.
        base_classes: those that the refiner tells a class from; None is all that it is given.

    Raises:
        ValueError: a temperature that is not positive, or one without a refiner's scores.
    """

    def __init__(
        self,
        tower: TextTower,
        describer: Describer,
        refiner: Refiner | None = None,
        *,
        temperature: float | None = None,
        base_classes: Sequence[str] | None = None,
    ) -> None:
        if temperature is not None and (temperature <= 0 or refiner is None):
            raise ValueError(
                "SynMine.temperature must be above 0 and needs a refiner, whose scores it weighs, "
                f"got {temperature}"
            )
        self.tower = tower
        self.describer = describer
        self.refiner = refiner
        self.temperature = temperature
        self.base_classes = base_classes if base_classes is None else list(base_classes)
        refined = f"refined by {refiner.source}" if refiner else "unrefined"
        weighted = f", weighted at {temperature}" if temperature else ""
        self.source = f"SynMine ({describer.source}, {refined}{weighted}), {tower.source}"

    def key(self) -> dict[str, object]:
        refiner: dict[str, object] = {}
        if self.refiner is not None:
            refiner = {**self.refiner.key(), "base_classes": self.base_classes}
        weights = {"temperature": self.temperature}
        return {"synmine": self.tower.digest, **self.describer.key(), **refiner, **weights}

    def joined_by(self, describer: Describer) -> "SynMine":
        """The same with another describer beside its own."""
        return self._with(Collaboration([self.describer, describer]), self.base_classes)

    def among(self, base_classes: Sequence[str]) -> "SynMine":
        """The same for a data set with these base classes."""
        return self._with(self.describer, base_classes)

    def _with(self, describer: Describer, base_classes: Sequence[str] | None) -> "SynMine":
        return SynMine(
            self.tower,
            describer,
            self.refiner,
            temperature=self.temperature,
            base_classes=base_classes,
        )

    def mine(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        """All descriptors, dropped ones included.

        Raises:
            ValueError: a class is left without a phrase; the message names it.
        """
        descriptors = self.describer.describe(class_names, progress)
        if self.refiner is not None:
            descriptors = self.refiner.refine(descriptors, self.base_classes)
        kept = {descriptor.class_name for descriptor in descriptors if descriptor.kept}
        empty = [name for name in class_names if name not in kept]
        if empty:
            raise ValueError(f"{self.source}: no descriptor for {', '.join(empty[:8])}")
        return descriptors

    def check(self, class_names: Sequence[str]) -> None:
        check_classes(self.describer, class_names)

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        return self.encode(class_names, self.mine(class_names))

    def encode(self, class_names: Sequence[str], descriptors: Sequence[Descriptor]) -> SemanticBank:
        """The vectors of what was kept, aggregated once."""
        kept = [descriptor for descriptor in descriptors if descriptor.kept]
        texts = self.tower.text_features([prompt(d.class_name, d.phrase) for d in kept])  # [n, M]
        rows = {name: row for row, name in enumerate(class_names)}
        owner = torch.tensor([rows[descriptor.class_name] for descriptor in kept])
        if self.temperature is not None:
            scores = torch.tensor([descriptor.score or 0.0 for descriptor in kept])
            texts = texts * relative_weights(scores, owner, len(rows), self.temperature)[:, None]
        sums = torch.zeros(len(rows), texts.shape[1]).index_add(0, owner, texts)
        return SemanticBank(tuple(class_names), F.normalize(sums, dim=-1), self.source)


def relative_weights(scores: Tensor, owner: Tensor, classes: int, temperature: float) -> Tensor:
    """`exp(score / t)` over the largest of its class: softmax, but for the sum.

    Shapes: scores [n], owner [n], indices of classes -> [n].
    """
    best = torch.full((classes,), -torch.inf).scatter_reduce(0, owner, scores, "amax")  # [C]
    return ((scores - best[owner]) / temperature).exp()
