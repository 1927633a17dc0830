from collections.abc import Sequence
from typing import get_args

import pytest
import torch
from torch.nn import functional as F

from syntrans_l2l.datasets.generated import class_concepts, class_names
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.collaboration import Collaboration
from syntrans_l2l.semantics.demo_describer import VAGUE, DemoDescriber
from syntrans_l2l.semantics.descriptors import Descriptor, prompt
from syntrans_l2l.semantics.refine import (
    Against,
    Anchor,
    TowerRefiner,
    consensus,
    relevance_minus_confusability,
)
from syntrans_l2l.semantics.synmine import SynMine

TEACHER = ClipTeacher("embedded")
CONCEPTS = class_concepts()["test"]
NAMES = class_names()["test"]
CLASSES = dict(zip(NAMES, CONCEPTS, strict=True))


def test_the_describer_writes_true_vague_and_wrong_phrases() -> None:
    written = DemoDescriber(vague=2, wrong=3).describe(NAMES)
    assert [d.class_name for d in written] == sorted(
        (d.class_name for d in written), key=NAMES.index
    )
    for name, concept in CLASSES.items():
        phrases = [d.phrase for d in written if d.class_name == name]
        assert set(concept.facts()) < set(phrases)
        assert len(set(phrases) & set(VAGUE)) == 2
        assert len(set(phrases) - set(VAGUE) - set(concept.facts())) == 3
    assert written == DemoDescriber(vague=2, wrong=3).describe(NAMES)
    alone = DemoDescriber(vague=2, wrong=3).describe(NAMES[3:4])
    assert alone == [d for d in written if d.class_name == NAMES[3]]
    other = DemoDescriber(vague=2, wrong=3, seed=1)
    assert {d.phrase for d in other.describe(NAMES[3:4])} != {d.phrase for d in alone}


def test_the_describer_knows_its_limits() -> None:
    with pytest.raises(ValueError, match="not 'golden_retriever'"):
        DemoDescriber().describe(["golden_retriever"])
    with pytest.raises(ValueError, match="vague from 0 to 5"):
        DemoDescriber(vague=6)
    with pytest.raises(ValueError, match=r"must be at least 1, got 0 and 1"):
        TowerRefiner(TEACHER, keep=0)
    with pytest.raises(ValueError, match="name or consensus, got 'images'"):
        TowerRefiner(TEACHER, anchor="images")  # type: ignore[arg-type]


def test_scores_by_hand() -> None:
    anchors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    texts = torch.tensor([[0.8, 0.6], [0.0, 1.0]])
    owner = torch.tensor([0, 1])
    for rivals, expected in (
        ([0, 1, 2], [0.8 - (0.6 + 0.96) / 2, 1.0 - (0.0 + 0.8) / 2]),
        ([0, 2], [0.8 - 0.96, 1.0 - (0.0 + 0.8) / 2]),  # the second class is novel
        ([1], [0.8 - 0.6, 1.0]),  # nothing to be confused with
    ):
        scores = relevance_minus_confusability(texts, anchors, owner, torch.tensor(rivals))
        torch.testing.assert_close(scores, torch.tensor(expected))


def kept_shares(refined: Sequence[Descriptor]) -> tuple[float, float]:
    """The share of right phrases that stayed, and that of all others."""
    right = [d.kept for d in refined if d.phrase in CLASSES[d.class_name].facts()]
    others = [d.kept for d in refined if d.phrase not in CLASSES[d.class_name].facts()]
    return sum(right) / len(right), sum(others) / len(others)


def test_refining_drops_wrong_phrases_and_loses_nothing() -> None:
    written = DemoDescriber().describe(NAMES)
    refined = TowerRefiner(TEACHER, keep=4).refine(written)
    assert [d.phrase for d in refined] == [d.phrase for d in written]
    assert all(d.reason and d.score is not None for d in refined)
    assert all(1 <= sum(d.kept for d in refined if d.class_name == n) <= 4 for n in NAMES)
    right, others = kept_shares(refined)
    assert right > 1.2 * others


def kept_of(miner: SynMine, names: Sequence[str], name: str) -> dict[str, float | None]:
    return {d.phrase: d.score for d in miner.mine(names) if d.kept and d.class_name == name}


@pytest.mark.parametrize("anchor", ["name", "consensus"])
def test_a_novel_class_does_not_depend_on_the_other_novel_classes(anchor: Anchor) -> None:
    base, novel = class_names()["train"][:12], NAMES
    chosen = {}
    for against in get_args(Against):
        refiner = TowerRefiner(TEACHER, anchor=anchor, against=against)
        miner = SynMine(TEACHER, DemoDescriber(), refiner).among(base)
        chosen[against] = [
            [kept_of(miner, [*base, *others], name) for others in (novel, novel[:6], [name])]
            for name in novel[:6]
        ]
    for all_of_them, some, alone in chosen["base"]:
        assert all_of_them.keys() == some.keys() == alone.keys()
        assert some == pytest.approx(all_of_them, abs=1e-6)
        assert alone == pytest.approx(all_of_them, abs=1e-6)
    # the same phrases, told from whatever else is novel, are scored otherwise
    assert all(each[0] != pytest.approx(each[2], abs=1e-6) for each in chosen["all"])
    assert any(each[0].keys() != each[2].keys() for each in chosen["all"])


def test_base_classes_that_are_not_described() -> None:
    base = class_names()["train"][:12]
    miner = SynMine(TEACHER, DemoDescriber(), TowerRefiner(TEACHER)).among(base)
    for name in NAMES[:3]:
        together = kept_of(miner, [*base, *NAMES], name)
        assert kept_of(miner, NAMES, name) == pytest.approx(together, abs=1e-6)
    consensual = TowerRefiner(TEACHER, anchor="consensus")
    with pytest.raises(ValueError, match=f"needs phrases of all base classes.*{base[0]}"):
        SynMine(TEACHER, DemoDescriber(), consensual).among(base).mine(NAMES)


def test_against_is_recorded() -> None:
    miners = [
        SynMine(TEACHER, DemoDescriber(), TowerRefiner(TEACHER, against="base")).among(NAMES[:5]),
        SynMine(TEACHER, DemoDescriber(), TowerRefiner(TEACHER, against="base")).among(NAMES[:6]),
        SynMine(TEACHER, DemoDescriber(), TowerRefiner(TEACHER, against="all")).among(NAMES[:5]),
    ]
    keys = [miner.key() for miner in miners]
    assert keys[0] != keys[1] and keys[0] != keys[2]
    assert keys[0]["base_classes"] == list(NAMES[:5])
    assert "best 4 against base" in miners[0].source and "against all" in miners[2].source
    assert miners[0].joined_by(DemoDescriber(seed=1)).base_classes == list(NAMES[:5])
    with pytest.raises(ValueError, match="against must be base or all, got 'novel'"):
        TowerRefiner(TEACHER, against="novel")  # type: ignore[arg-type]


def test_what_several_describers_agree_on_is_kept() -> None:
    three = Collaboration([DemoDescriber(seed=seed) for seed in range(3)]).describe(NAMES)
    by_name = kept_shares(TowerRefiner(TEACHER).refine(three))
    refiner = TowerRefiner(TEACHER, anchor="consensus", agreement=2)
    refined = refiner.refine(three)
    right, others = kept_shares(refined)
    assert right > 0.8 > by_name[0]
    assert others < 0.1 < by_name[1]
    alone = [d for d in refined if d.agreement == 1]
    assert alone and not any(d.kept for d in alone)
    assert alone[0].reason == "written by 1 of the describers, not by 2"
    assert "2 describers agreeing" in refiner.source and "consensus" in refiner.source
    assert refiner.key() != TowerRefiner(TEACHER).key()


def test_consensus_by_hand() -> None:
    texts = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    anchors = consensus(texts, torch.tensor([3.0, 4.0, 1.0]), torch.tensor([0, 0, 1]))
    torch.testing.assert_close(anchors, torch.tensor([[0.6, 0.8], [0.6, 0.8]]))


def test_the_same_phrase_twice_is_kept_once() -> None:
    twice = [
        Descriptor(class_name=name, phrase=phrase, written_by="hand", prompt="")
        for name in NAMES[:2]
        for phrase in ("a thick black outline", "a thick black outline")
    ]
    first, second, *_ = TowerRefiner(TEACHER).refine(twice)
    assert first.kept and not second.kept
    assert second.reason == "says the same as 'a thick black outline'"


def test_vectors_are_normalised_means_of_what_was_kept() -> None:
    mine = SynMine(TEACHER, DemoDescriber(), TowerRefiner(TEACHER, keep=3))
    bank = mine.encode_classes(NAMES)
    kept = [d for d in mine.mine(NAMES) if d.kept and d.class_name == NAMES[5]]
    texts = TEACHER.text_features([prompt(NAMES[5], d.phrase) for d in kept])
    torch.testing.assert_close(bank.vectors[5], F.normalize(texts.mean(0), dim=0))
    assert "embedded CLIP of the generated world, best 3" in bank.source
    assert "unrefined" in SynMine(TEACHER, DemoDescriber()).source


def test_a_class_without_descriptors_is_named() -> None:
    class Silent(DemoDescriber):
        def describe(
            self, class_names: Sequence[str], progress: Progress = silent
        ) -> list[Descriptor]:
            return super().describe(NAMES[1:])

    with pytest.raises(ValueError, match=f"no descriptor for {NAMES[0]}"):
        SynMine(TEACHER, Silent()).encode_classes(NAMES)
