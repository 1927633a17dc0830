from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional as F

from syntrans_l2l.datasets.generated import class_concepts
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.demo_describer import VAGUE, DemoDescriber
from syntrans_l2l.semantics.descriptors import Descriptor, prompt
from syntrans_l2l.semantics.refine import TowerRefiner, relevance_minus_confusability
from syntrans_l2l.semantics.synmine import SynMine
from syntrans_l2l.teacher import ClipTeacher

TEACHER = ClipTeacher("embedded")
CONCEPTS = class_concepts()["test"]
NAMES = [concept.name for concept in CONCEPTS]


def test_the_describer_writes_true_vague_and_wrong_phrases() -> None:
    written = DemoDescriber(vague=2, wrong=3).describe(NAMES)
    assert [d.class_name for d in written] == sorted(
        (d.class_name for d in written), key=NAMES.index
    )
    for concept in CONCEPTS:
        phrases = [d.phrase for d in written if d.class_name == concept.name]
        assert set(concept.facts()) < set(phrases)
        assert len(set(phrases) & set(VAGUE)) == 2
        assert len(set(phrases) - set(VAGUE) - set(concept.facts())) == 3
    assert written == DemoDescriber(vague=2, wrong=3).describe(NAMES)
    alone = DemoDescriber(vague=2, wrong=3).describe(NAMES[3:4])
    assert alone == [d for d in written if d.class_name == NAMES[3]]


def test_the_describer_knows_its_limits() -> None:
    with pytest.raises(ValueError, match="not 'golden_retriever'"):
        DemoDescriber().describe(["golden_retriever"])
    with pytest.raises(ValueError, match="vague from 0 to 5"):
        DemoDescriber(vague=6)
    with pytest.raises(ValueError, match=r"keep must be at least 1"):
        TowerRefiner(TEACHER, keep=0)


def test_scores_by_hand() -> None:
    anchors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    texts = torch.tensor([[0.8, 0.6], [0.0, 1.0]])
    scores = relevance_minus_confusability(texts, anchors, torch.tensor([0, 1]))
    torch.testing.assert_close(
        scores, torch.tensor([0.8 - (0.6 + 0.96) / 2, 1.0 - (0.0 + 0.8) / 2])
    )


def test_refining_drops_wrong_phrases_and_loses_nothing() -> None:
    written = DemoDescriber().describe(NAMES)
    refined = TowerRefiner(TEACHER, keep=4).refine(written)
    assert [d.phrase for d in refined] == [d.phrase for d in written]
    assert all(d.reason and d.score is not None for d in refined)
    kept_right, kept_wrong, right, wrong = 0, 0, 0, 0
    for concept in CONCEPTS:
        own = [d for d in refined if d.class_name == concept.name]
        assert 1 <= sum(d.kept for d in own) <= 4
        for descriptor in own:
            if descriptor.phrase in concept.facts():
                right, kept_right = right + 1, kept_right + descriptor.kept
            elif descriptor.phrase not in VAGUE:
                wrong, kept_wrong = wrong + 1, kept_wrong + descriptor.kept
    assert kept_right / right > 2 * kept_wrong / wrong


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
