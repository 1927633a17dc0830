"""Phrases of every form as texts."""

import json
from pathlib import Path

import pytest

from syntrans_l2l.semantics.demo_describer import DemoDescriber
from syntrans_l2l.semantics.descriptors import prompt
from syntrans_l2l.semantics.names import readable
from syntrans_l2l.semantics.written import SHIPPED, Shipped, Written

SENTENCES = [
    "It is a tall wading bird.",
    "It has a long neck.",
    "A heron is a grey bird.",
    "Herons stand in water.",
    "This bird hunts fish. It is patient.",
    "the heron's neck is bent",
    "its beak is a dagger",
    "They wade",
    "it's grey",
    "There are plumes behind the eye!",
    "the plumage can be grey or white",
    "Heron: a tall bird",
    "A grey heron, often seen alone",
]


@pytest.mark.parametrize("phrase", SENTENCES)
def test_a_sentence_stands_by_itself(phrase: str) -> None:
    whole = phrase[0].upper() + phrase[1:]
    stop = "" if phrase[-1] in ".!" else "."
    assert prompt("heron", phrase) == f"a photo of a heron. {whole}{stop}"


@pytest.mark.parametrize(
    ("phrase", "end"),
    [
        ("a long neck", "which has a long neck"),
        ("a long neck.", "which has a long neck"),
        ("with a long neck", "which has a long neck"),
        ("has a long neck", "which has a long neck"),
        ("which has a long neck.", "which has a long neck"),
        ("which wades in water", "which wades in water"),
        ("is grey and tall", "which is grey and tall"),
        ("a beak that is yellow", "which has a beak that is yellow"),
        ("wings whose tips are black", "which has wings whose tips are black"),
        ("the tall body of a bird", "which has the tall body of a bird"),
        ("a watering can for a beak", "which has a watering can for a beak"),
    ],
)
def test_a_phrase_completes_the_prompt(phrase: str, end: str) -> None:
    assert prompt("heron", phrase) == f"a photo of a heron, {end}"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_phrases_are_read_as_ever(name: str) -> None:
    for class_name, phrases in Shipped(name).phrases.items():
        for phrase in phrases:
            expected = f"a photo of a {readable(class_name)}, which has {phrase}"
            assert prompt(class_name, phrase) == expected


def test_the_demos_phrases_are_read_as_ever() -> None:
    from syntrans_l2l.datasets.generated import class_names

    names = [name for split in class_names().values() for name in split]
    for each in DemoDescriber(vague=5, wrong=5).describe(names):
        expected = f"a photo of a {readable(each.class_name)}, which has {each.phrase}"
        assert prompt(each.class_name, each.phrase) == expected


def test_a_file_of_sentences(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps({"heron": SENTENCES}))
    texts = [
        prompt(each.class_name, each.phrase)
        for each in Written(tmp_path / "d.json").describe(["heron"])
    ]
    assert len(texts) == len(SENTENCES) and not any("which has" in text for text in texts)
