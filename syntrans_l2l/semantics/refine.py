"""The refiner: CLIP judges what a describer wrote. Our reconstruction of SynMine's second half."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from syntrans_l2l.semantics.descriptors import Descriptor, prompt
from syntrans_l2l.semantics.text_encoder import prompts
from syntrans_l2l.teacher import ClipTeacher


class ClipRefiner:
    """Keeps the phrases that bring the text near its own class and near no other.

    The score of phrase d of class c is `cos(T("a photo of a c, which has d"), T("a photo of
    a c"))` minus the largest such cosine with another class. It reads texts alone.

    Args:
        teacher: whose text tower judges.
        keep: the best so many of each class stay.
        duplicate: a phrase whose bare text has a cosine above this with that of a better one
            of its class is dropped.

    Raises:
        ValueError: `keep` is not positive.
    """

    def __init__(self, teacher: ClipTeacher, *, keep: int = 4, duplicate: float = 0.98) -> None:
        if keep < 1:
            raise ValueError(f"ClipRefiner.keep must be at least 1, got {keep}")
        self.teacher = teacher
        self.keep = keep
        self.duplicate = duplicate
        self.source = f"CLIP score, best {keep}"

    def key(self) -> dict[str, object]:
        return {"refiner": self.teacher.digest, "keep": self.keep, "duplicate": self.duplicate}

    def refine(self, descriptors: Sequence[Descriptor]) -> list[Descriptor]:
        names = list(dict.fromkeys(descriptor.class_name for descriptor in descriptors))
        anchors = self.teacher.text_features(prompts(names))  # [C, M]
        texts = self.teacher.text_features([prompt(d.class_name, d.phrase) for d in descriptors])
        bare = self.teacher.text_features([d.phrase for d in descriptors])
        owner = torch.tensor([names.index(d.class_name) for d in descriptors])
        scores = relevance_minus_confusability(texts, anchors, owner)
        verdicts = [
            replace(descriptor, score=score, kept=False, reason="")
            for descriptor, score in zip(descriptors, scores.tolist(), strict=True)
        ]
        for number in range(len(names)):
            rows = torch.where(owner == number)[0]
            best_first = rows[scores[rows].argsort(descending=True, stable=True)].tolist()
            kept: list[int] = []
            for row in best_first:
                twin = next((k for k in kept if bare[row] @ bare[k] > self.duplicate), None)
                if twin is not None:
                    reason = f"says the same as {descriptors[twin].phrase!r}"
                elif len(kept) == self.keep:
                    reason = f"below the best {self.keep}"
                else:
                    kept.append(row)
                    reason = f"number {len(kept)} of the best {self.keep}"
                verdicts[row] = replace(verdicts[row], kept=row in kept, reason=reason)
        return verdicts


def relevance_minus_confusability(texts: Tensor, anchors: Tensor, owner: Tensor) -> Tensor:
    """Cosine with the own class's anchor, minus the largest with another's.

    Shapes: texts [n, M], anchors [C, M], both normalised; owner [n], indices of anchors -> [n].
    """
    cosine = texts @ anchors.T
    own = cosine.gather(1, owner[:, None])[:, 0]
    others = cosine.scatter(1, owner[:, None], -torch.inf)
    return own - others.amax(1)
