"""The refiner: a text tower judges what describers wrote. Our reconstruction of SynMine's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.semantics.cleaning import names_only
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.names import readable
from syntrans_l2l.semantics.text_encoder import prompts
from syntrans_l2l.semantics.text_tower import TextTower
from syntrans_l2l.semantics.visual import VisualJudge, non_visual_word

Anchor = Literal["name", "consensus"]
Against = Literal["base", "all"]


class TowerRefiner:
    """Keeps the phrases that are near their own class and far from the others.

    The score of phrase d of class c is its relevance `cos(T(d), anchor_c)` minus its
    confusability, the mean of that cosine over the other classes: the base classes, so that what
    is kept of a novel class is the same whatever other novel classes there are. The anchor is
    `T("a photo of a c")`, or what describers agree on: the mean of T over the phrases of c,
    each with the number of its writers as its weight. It reads texts alone; with
    the text tower of CLIP as T these are judged in the space of images. The phrase stands
    without the name, which would drown it.

    Before the scores speak, phrases go that name the class only or that no picture shows.
    What a describer has rejected stays so.

    Args:
        tower: T, of CLIP or of a sentence encoder.
        anchor: "name", or "consensus" where names say little and several describers write.
        against: the classes of the confusability: "base", or "all" that are refined together,
            which tells novel classes from each other.
        agreement: phrases of fewer describers go.
        keep: the best so many of each class stay (M_d).
        duplicate: a phrase whose bare text has a cosine above this with that of a better one
            of its class is dropped.
        judge: a language model that says whether a picture shows a phrase; None leaves that
            to the word list.

    Raises:
        ValueError: `keep` or `agreement` is not positive, or an unknown `anchor` or `against`.
    """

    def __init__(
        self,
        tower: TextTower,
        *,
        anchor: Anchor = "name",
        against: Against = "base",
        agreement: int = 1,
        keep: int = 4,
        duplicate: float = 0.98,
        judge: VisualJudge | None = None,
    ) -> None:
        if keep < 1 or agreement < 1:
            raise ValueError(
                "TowerRefiner.keep and TowerRefiner.agreement must be at least 1, got "
                f"{keep} and {agreement}"
            )
        if anchor not in ("name", "consensus"):
            raise ValueError(f"TowerRefiner.anchor must be name or consensus, got {anchor!r}")
        if against not in ("base", "all"):
            raise ValueError(f"TowerRefiner.against must be base or all, got {against!r}")
        self.tower = tower
        self.anchor = anchor
        self.against = against
        self.agreement = agreement
        self.keep = keep
        self.duplicate = duplicate
        self.judge = judge
        judged = f"{judge.source}, " if judge else ""
        agreed = f"{agreement} describers agreeing, " if agreement > 1 else ""
        towards = ", nearest to their consensus" if anchor == "consensus" else ""
        self.source = (
            f"{judged}{agreed}score of {tower.source}{towards}, best {keep} against {against}"
        )

    def key(self) -> dict[str, object]:
        settings = {
            "anchor": self.anchor,
            "against": self.against,
            "agreement": self.agreement,
            "keep": self.keep,
            "duplicate": self.duplicate,
        }
        return {
            "refiner": self.tower.digest,
            **settings,
            **(self.judge.key() if self.judge else {}),
        }

    def refine(
        self, descriptors: Sequence[Descriptor], base_classes: Sequence[str] | None = None
    ) -> list[Descriptor]:
        """As the protocol says.

        Raises:
            ValueError: consensus anchors, and base classes without phrases.
        """
        described = list(dict.fromkeys(descriptor.class_name for descriptor in descriptors))
        rivals = described if base_classes is None or self.against == "all" else base_classes
        names = list(dict.fromkeys([*described, *rivals]))
        bare = self.tower.text_features([d.phrase for d in descriptors])  # [n, M]
        place = {name: number for number, name in enumerate(names)}
        owner = torch.tensor([place[d.class_name] for d in descriptors])
        if self.anchor == "name":
            anchors = self.tower.text_features(prompts(names))  # [C, M]
        elif silent := names[len(described) :]:
            raise ValueError(
                "TowerRefiner.anchor = 'consensus' needs phrases of all base classes, and has "
                f"none of {', '.join(silent[:8])}: describe them too, or set TowerRefiner.against "
                "= 'all'"
            )
        else:
            writers = torch.tensor([float(d.agreement * d.kept) for d in descriptors])
            anchors = consensus(bare, writers, owner)
        others = torch.tensor([place[name] for name in rivals])
        scores = relevance_minus_confusability(bare, anchors, owner, others)
        faults = self._faults(descriptors)
        verdicts = [
            replace(descriptor, score=score, kept=False, reason=fault)
            for descriptor, score, fault in zip(descriptors, scores.tolist(), faults, strict=True)
        ]
        for number in range(len(described)):
            rows = torch.where(owner == number)[0]
            best_first = rows[scores[rows].argsort(descending=True, stable=True)].tolist()
            kept: list[int] = []
            for row in best_first:
                if faults[row]:
                    continue
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

    def _faults(self, descriptors: Sequence[Descriptor]) -> list[str]:
        """Why a phrase is out whatever its score; empty where it is not."""
        faults = [self._fault(descriptor) for descriptor in descriptors]
        if self.judge is not None:
            rows = [row for row, fault in enumerate(faults) if not fault]
            asked = [(readable(descriptors[r].class_name), descriptors[r].phrase) for r in rows]
            for row, visible in zip(rows, self.judge.visible(asked), strict=True):
                if not visible:
                    faults[row] = f"no picture shows it, says {self.judge.model.source}"
        return faults

    def _fault(self, descriptor: Descriptor) -> str:
        if not descriptor.kept:
            return descriptor.reason
        if names_only(descriptor.phrase, descriptor.class_name):
            return "names the class only"
        if word := non_visual_word(descriptor.phrase):
            return f"no picture shows it: {word!r}"
        if descriptor.agreement < self.agreement:
            return f"written by {descriptor.agreement} of the describers, not by {self.agreement}"
        return ""


def consensus(texts: Tensor, writers: Tensor, owner: Tensor) -> Tensor:
    """The normalised mean of each class's phrases, weighted by their writers.

    Shapes: texts [n, M], normalised; writers [n]; owner [n], each class at least once -> [C, M].
    """
    sums = torch.zeros(int(owner.max()) + 1, texts.shape[1])
    return F.normalize(sums.index_add(0, owner, texts * writers[:, None]), dim=-1)


def relevance_minus_confusability(
    texts: Tensor, anchors: Tensor, owner: Tensor, rivals: Tensor
) -> Tensor:
    """Cosine with the own class's anchor, minus the mean of those with the other rivals'.

    Shapes: texts [n, M], anchors [C, M], both normalised; owner [n] and rivals [R], indices of
    anchors -> [n].
    """
    cosine = texts @ anchors.T
    own = cosine.gather(1, owner[:, None])  # [n, 1]
    other = owner[:, None] != rivals  # [n, R]
    confusability = (cosine[:, rivals] * other).sum(1) / other.sum(1).clamp(min=1)
    return own[:, 0] - confusability  # with nothing to be confused with, the relevance
