import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_models
import torch
from torch.nn import functional as F

from syntrans_l2l.experiment.gin_names import class_vectors
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.bank_file import BankFile, MinedBank, read_bank, write_bank
from syntrans_l2l.semantics.descriptors import Descriptor, prompt
from syntrans_l2l.semantics.refine import TowerRefiner
from syntrans_l2l.semantics.synmine import SynMine, relative_weights
from syntrans_l2l.semantics.text_tower import SentenceTower
from syntrans_l2l.semantics.written import Shipped

NAMES = ["maple_tree", "bed", "crab", "ray"]


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> SentenceTower:
    folder = tmp_path_factory.mktemp("models") / "encoder"
    return SentenceTower(str(tiny_models.sentence_encoder(folder)))


@pytest.fixture
def bank(tower: SentenceTower) -> MinedBank:
    miner = SynMine(tower, Shipped("cifar100"), TowerRefiner(tower, keep=3))
    descriptors = miner.mine(NAMES)
    return MinedBank(
        vectors=miner.encode(NAMES, descriptors),
        descriptors=descriptors,
        dataset="cifar_fs",
        observed="none",
        made_by=miner.key(),
    )


def test_there_and_back(bank: MinedBank, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "bank.json"
    write_bank(bank, path)
    again = read_bank(path)
    assert list(again.descriptors) == list(bank.descriptors)
    assert torch.equal(again.vectors.vectors, bank.vectors.vectors)
    assert (again.dataset, again.observed) == ("cifar_fs", "none")
    assert sorted(p.name for p in path.parent.iterdir()) == ["bank.json", "bank.safetensors"]
    first = [p.read_bytes() for p in sorted(path.parent.iterdir())]
    for _ in range(4):  # safetensors orders several header entries at random
        write_bank(again, path)
        assert [p.read_bytes() for p in sorted(path.parent.iterdir())] == first


def test_people_can_read_it(bank: MinedBank, tmp_path: Path) -> None:
    write_bank(bank, tmp_path / "bank.json")
    text = (tmp_path / "bank.json").read_text()
    content = json.loads(text)
    entries = content["classes"]["ray"]
    assert sum(entry["kept"] for entry in entries) == 3 < len(entries)
    for entry in entries:
        assert entry["written_by"] == "written for syntrans_l2l"
        assert entry["score"] is not None and entry["reason"]
        instruction = content["prompts"][entry["prompt"]]
        assert hashlib.sha256(instruction.encode()).hexdigest()[:12] == entry["prompt"]
    assert text.count("they must be TRUE, VISUAL, SPECIFIC") == 1
    stored = hashlib.sha256((tmp_path / "bank.safetensors").read_bytes()).hexdigest()
    assert content["vectors"]["sha256"] == stored


def test_names_with_accents_and_cases(tower: SentenceTower, tmp_path: Path) -> None:
    names = ("cafe\u0301", "Apple", "apple")
    descriptors = [
        Descriptor(class_name=name, phrase=f"a {colour} thing", written_by="é", prompt="ü")
        for name, colour in zip(names, ("red", "green", "blue"), strict=True)
    ]
    mined = MinedBank(
        vectors=SemanticBank(names, torch.eye(3), "made by hand"),
        descriptors=descriptors, dataset="", observed="none", made_by={},
    )  # fmt: skip
    write_bank(mined, tmp_path / "bank.json")
    file = BankFile(tmp_path / "bank.json")
    assert list(file.bank.descriptors) == descriptors
    vectors = file.encode_classes(["apple", "caf\u00e9", "Apple"]).vectors
    assert torch.equal(vectors, torch.eye(3)[[2, 0, 1]])


_SCRIPT = """
import sys, warnings
from pathlib import Path
import torch
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.bank_file import MinedBank, read_bank, write_bank
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.journal import Journal
from syntrans_l2l.semantics.written import Written
folder = Path(sys.argv[1])
warnings.simplefilter("error", EncodingWarning)
d = Descriptor(class_name="caf\u00e9", phrase="gr\u00fcn", written_by="", prompt="")
bank = MinedBank(vectors=SemanticBank(("caf\u00e9",), torch.ones(1, 2), ""), descriptors=[d],
                 dataset="", observed="", made_by={})
write_bank(bank, folder / "bank.json")
assert read_bank(folder / "bank.json").descriptors == [d]
Journal(folder).write({}, "\u00fc", "\u00e4")
assert Journal(folder).read({}, "\u00fc") == "\u00e4"
(folder / "own.json").write_bytes('{"caf\u00e9": ["gr\u00fcn"]}'.encode())
assert Written(folder / "own.json").describe(["caf\u00e9"])[0].phrase == "gr\u00fcn"
"""


def test_no_file_depends_on_the_locale(tmp_path: Path) -> None:
    """Python warns of each file that is opened in the locale's encoding; here that is an error."""
    command = [sys.executable, "-X", "warn_default_encoding", "-c", _SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


def test_any_benchmark_takes_it(bank: MinedBank, tmp_path: Path) -> None:
    write_bank(bank, tmp_path / "bank.json")
    encoder = class_vectors(str(tmp_path / "bank.json"), "unused")
    assert isinstance(encoder, BankFile)
    vectors = encoder.encode_classes(["crab", "maple_tree"]).vectors
    assert torch.equal(vectors, bank.vectors.vectors[[2, 0]])
    with pytest.raises(ValueError, match="lacks vectors for 1 of 2 classes: sofa"):
        encoder.encode_classes(["bed", "sofa"])
    other = replace(bank, vectors=bank.vectors.shuffled(0))
    write_bank(other, tmp_path / "other.json")
    assert BankFile(tmp_path / "other.json").key() != encoder.key()


def test_two_files_that_do_not_belong_together(bank: MinedBank, tmp_path: Path) -> None:
    path = tmp_path / "bank.json"
    write_bank(bank, path)
    text = path.read_text()
    path.write_text(text.replace('"kept": true', '"kept": false', 1))
    with pytest.raises(ValueError, match=r"bank\.json was changed after its vectors"):
        BankFile(path)
    path.write_text(text)
    write_bank(replace(bank, vectors=bank.vectors.shuffled(0)), tmp_path / "other.json")
    (tmp_path / "other.safetensors").replace(tmp_path / "bank.safetensors")
    with pytest.raises(ValueError, match=r"bank\.safetensors is not what .*bank\.json was written"):
        BankFile(path)
    (tmp_path / "bank.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(ValueError, match="no semantic bank"):
        BankFile(path)
    (tmp_path / "bank.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"bank\.safetensors is missing"):
        BankFile(path)
    path.write_text("{}")
    with pytest.raises(ValueError, match="no semantic bank"):
        BankFile(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"bank\.json is missing"):
        BankFile(path)


def test_a_sentence_encoder_refines_and_encodes(tower: SentenceTower) -> None:
    miner = SynMine(tower, Shipped("cifar100"), TowerRefiner(tower, keep=3), temperature=0.05)
    mined = miner.mine(NAMES)
    kept = [d for d in mined if d.kept and d.class_name == "bed"]
    scores = torch.tensor([d.score for d in kept])
    texts = tower.text_features([prompt("bed", d.phrase) for d in kept])
    expected = F.normalize((scores / 0.05).softmax(0) @ texts, dim=0)
    torch.testing.assert_close(miner.encode_classes(NAMES).vectors[1], expected)
    uniform = SynMine(tower, Shipped("cifar100"), TowerRefiner(tower, keep=3))
    torch.testing.assert_close(
        uniform.encode_classes(NAMES).vectors[1], F.normalize(texts.mean(0), dim=0)
    )
    assert uniform.key() != miner.key()
    with pytest.raises(ValueError, match="needs a refiner"):
        SynMine(tower, Shipped("cifar100"), temperature=1.0)


def test_weights_of_a_class_far_below_the_others_do_not_vanish() -> None:
    scores, owner = torch.tensor([0.0, -90.0, -91.0]), torch.tensor([0, 1, 1])
    weights = relative_weights(scores, owner, 2, 1.0)
    torch.testing.assert_close(weights, torch.tensor([1.0, 1.0, 1.0]).mul(
        torch.tensor([1.0, 1.0, torch.e**-1])))  # fmt: skip


def test_one_class_alone_has_nothing_to_be_confused_with(tower: SentenceTower) -> None:
    alone = TowerRefiner(tower, keep=2).refine(Shipped("cifar100").describe(["bed"]))
    assert all(-1 <= (d.score or 0.0) <= 1 for d in alone)
    assert sum(d.kept for d in alone) == 2


def test_a_class_left_without_phrases_is_named(tower: SentenceTower) -> None:
    class Vague:
        source = "vague"

        def key(self) -> dict[str, object]:
            return {}

        def describe(self, class_names: object, progress: object = None) -> list[Descriptor]:
            return [
                Descriptor(class_name=name, phrase=phrase, written_by="", prompt="")
                for name, phrase in (("bed", "soft white sheets"), ("crab", "a loud noise"))
            ]

    with pytest.raises(ValueError, match="no descriptor for crab"):
        SynMine(tower, Vague(), TowerRefiner(tower)).mine(["bed", "crab"])
