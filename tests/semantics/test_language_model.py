import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import tiny_models

from syntrans_l2l.semantics.collaboration import Collaboration
from syntrans_l2l.semantics.descriptors import Describer, Descriptor
from syntrans_l2l.semantics.journal import Journal
from syntrans_l2l.semantics.language_model import CausalModel, asked
from syntrans_l2l.semantics.model_describer import ModelDescriber
from syntrans_l2l.semantics.refine import TowerRefiner
from syntrans_l2l.semantics.text_tower import SentenceTower
from syntrans_l2l.semantics.visual import VisualJudge, non_visual_word
from syntrans_l2l.semantics.written import Written

NAMES = ["maple_tree", "n02012849", "crab", "bed", "012.Yellow_headed_Blackbird"]


class Scripted:
    """A language model that says what the test tells it to, and counts."""

    source = "scripted"

    def __init__(self, answers: dict[str, str], otherwise: str = "- a red tail") -> None:
        self.by_word = answers
        self.otherwise = otherwise
        self.asked: list[str] = []

    def key(self) -> dict[str, object]:
        return {"model": self.source}

    def answers(self, prompts: Sequence[str]) -> Iterator[tuple[str, str]]:
        for prompt in prompts:
            self.asked.append(prompt)
            said = (answer for word, answer in self.by_word.items() if word in prompt)
            yield prompt, next(said, self.otherwise)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    folder = tiny_models.causal_model(tmp_path_factory.mktemp("models") / "causal")
    return CausalModel(str(folder), batch_size=2, max_new_tokens=10)


def test_a_batch_says_what_each_would_say_alone(model: CausalModel) -> None:
    prompts = ["a photo of red", "the long tail of a blue wing and a stem", "green"]
    together = dict(model.answers(prompts))
    assert list(together) == prompts and len(set(together.values())) == 3
    for prompt in prompts:
        assert dict(model.answers([prompt])) == {prompt: together[prompt]}
    assert all(set(answer.split()) <= set(tiny_models.WORDS) for answer in together.values())


def test_the_chat_template_reaches_the_model(model: CausalModel) -> None:
    """What the library asks is what the template and a loop over argmax give."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model.pretrained.location)
    network = AutoModelForCausalLM.from_pretrained(model.pretrained.location).eval()
    tokens = tokenizer("<user>a photo of red<model>", return_tensors="pt")["input_ids"]
    start = tokens.shape[1]
    with torch.no_grad():
        for _ in range(10):
            tokens = torch.cat([tokens, network(tokens).logits[:, -1:].argmax(-1)], 1)
    expected = tokenizer.decode(tokens[0, start:])
    assert dict(model.answers(["a photo of red"]))["a photo of red"].split() == [
        word for word in expected.split() if not word.startswith("<")
    ]


def test_a_real_model_describes_every_class(model: CausalModel, tmp_path: Path) -> None:
    describer = ModelDescriber(model, journal=str(tmp_path))
    found = describer.describe(NAMES)
    assert list(dict.fromkeys(d.class_name for d in found)) == NAMES
    assert "a crane (large long-necked wading bird" in found[1].prompt
    assert "a Yellow headed Blackbird" in found[-1].prompt
    assert {d.written_by for d in found} == {model.source}
    assert ModelDescriber(model, journal=str(tmp_path)).describe(NAMES) == found


def test_a_missing_model() -> None:
    with pytest.raises(FileNotFoundError, match="no language model folder at /nowhere"):
        CausalModel("/nowhere")


def test_the_journal_is_asked_first(tmp_path: Path) -> None:
    model = Scripted({})
    first = asked(model, ["b", "a", "b"], Journal(tmp_path))
    assert list(first) == ["b", "a"] and model.asked == ["b", "a"]
    assert asked(model, ["a", "c"], Journal(tmp_path))["a"] == first["a"]
    assert model.asked == ["b", "a", "c"]
    for file in tmp_path.glob("*.json"):
        entry = json.loads(file.read_text())
        assert entry["model"] == {"model": "scripted"} and entry["prompt"] in "abc"
        file.write_text(file.read_text()[:20])  # a damaged entry is asked for again
    asked(model, ["a"], Journal(tmp_path))
    assert model.asked[-1] == "a" and len(model.asked) == 4


def test_useless_answers_are_named_and_asked_for_again_alone(tmp_path: Path) -> None:
    model = Scripted({"crab": "我不知道", "bed": ""})
    describer = ModelDescriber(model, journal=str(tmp_path))
    with pytest.raises(ValueError, match=r"2 of 5 classes have no usable answer.*'crab'"):
        describer.describe(NAMES)
    model.by_word = {}
    found = describer.describe(NAMES)
    assert [sum(word in p for p in model.asked) for word in ("a crab", "a bed", "maple")] == [
        2,
        2,
        1,
    ]
    assert {d.phrase for d in found} == {"a red tail"}


def test_rejected_phrases_stay(tmp_path: Path) -> None:
    model = Scripted({"crab": "- crab\n- two big claws"})
    crab = [d for d in ModelDescriber(model, journal=str(tmp_path)).describe(["crab"])]
    assert [(d.phrase, d.kept, d.reason) for d in crab] == [
        ("crab", False, "names the class only"),
        ("two big claws", True, "not refined"),
    ]


def test_senses_by_hand(tmp_path: Path) -> None:
    model = Scripted({})
    ModelDescriber(model, journal=str(tmp_path), senses={"ray": "a flat fish"}).describe(["ray"])
    assert "recognises a ray (a flat fish) in a photograph" in model.asked[0]


def test_several_describers_and_one_judge(tmp_path: Path) -> None:
    (tmp_path / "hand.json").write_text(
        json.dumps({"crab": ["A red tail.", "two big claws", "a loyal temperament"]})
    )
    hand = Written(tmp_path / "hand.json")
    model = Scripted({"SEEN": "No.", "List": "- a red tail\n- a round wing"})
    describers: list[Describer] = [hand, ModelDescriber(model, journal=str(tmp_path / "answers"))]
    found = Collaboration(describers).describe(["crab"])
    assert [(d.phrase, d.agreement) for d in found] == [
        ("A red tail.", 2),
        ("two big claws", 1),
        ("a loyal temperament", 1),
        ("a round wing", 1),
    ]
    tower = SentenceTower(str(tiny_models.sentence_encoder(tmp_path / "encoder")))
    model.by_word = {"round wing": "No, it cannot.", "SEEN": "Not sure"}
    judge = VisualJudge(model, journal=str(tmp_path / "answers"))
    refined = TowerRefiner(tower, judge=judge, duplicate=2.0).refine(found)
    assert {d.phrase: d.reason for d in refined if not d.kept} == {
        "a loyal temperament": "no picture shows it: 'loyal'",
        "a round wing": "no picture shows it, says scripted",
    }
    assert not any("loyal" in prompt for prompt in model.asked)
    assert "judged by scripted" in TowerRefiner(tower, judge=judge).source
    with pytest.raises(ValueError, match="at least one describer"):
        Collaboration([])


def test_words_that_no_picture_shows() -> None:
    assert non_visual_word("a loud barking sound") == "barking"
    assert non_visual_word("smooth grey bark") == ""


def test_a_rejected_phrase_does_not_count_as_agreement(tmp_path: Path) -> None:
    class Fixed:
        source = "fixed"

        def __init__(self, kept: bool) -> None:
            self.kept = kept

        def key(self) -> dict[str, object]:
            return {"kept": self.kept}

        def describe(self, class_names: Sequence[str], progress: object = None) -> list[Descriptor]:
            return [
                Descriptor(
                    class_name="crab", phrase="a claw", written_by="", prompt="", kept=self.kept
                )
            ]

    for order in ((True, False), (False, True)):
        found = Collaboration([Fixed(kept) for kept in order]).describe(["crab"])
        assert [(d.kept, d.agreement) for d in found] == [(True, 1)]
