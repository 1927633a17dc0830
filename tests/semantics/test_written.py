import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from common import REPOSITORY

from syntrans_l2l.datasets.fc100 import CLASSES
from syntrans_l2l.semantics.names import gloss, readable, sense, synonyms, wordnet_senses
from syntrans_l2l.semantics.wordnet import WordNet
from syntrans_l2l.semantics.written import SHIPPED, Shipped, Written

PUBLISHED = REPOSITORY.parent / "shared" / "data" / "splits"


def test_names_and_senses() -> None:
    assert readable("maple_tree") == "maple tree"
    assert readable("012.Yellow_headed_Blackbird") == "Yellow headed Blackbird"
    assert readable("n02110341") == "dalmatian"
    assert synonyms("n02110341") == ["dalmatian", "coach dog", "carriage dog"]
    assert gloss("n02110341").startswith("a large breed having a smooth white coat")
    assert sense("maple_tree") == ""
    # two cranes, told apart by their ids
    assert "bird" in sense("n02012849") and "lifts" in sense("n03126707")
    with pytest.raises(ValueError, match="'n99999999' is none of ImageNet's"):
        readable("n99999999")


def test_wordnet_describes_or_lists() -> None:
    found = WordNet().describe(["n02110341", "n03126707"])
    own = [d.phrase for d in found if d.class_name == "n02110341"]
    assert own[0] == "a large breed having a smooth white coat with black or brown spots"
    assert "also the name coach dog" in own and "originated in Dalmatia" in own
    assert {d.written_by for d in found} == {"WordNet"}
    with pytest.raises(ValueError, match=r"not 2 of 3 classes: maple_tree, n99999999"):
        WordNet().describe(["maple_tree", "n02110341", "n99999999"])


def test_a_class_is_called_by_its_id_or_by_its_first_synonym() -> None:
    by_word = WordNet().describe(["dalmatian", "house finch"])
    by_id = WordNet().describe(["n02110341", "n01532829"])
    assert [d.phrase for d in by_word] == [d.phrase for d in by_id]
    assert wordnet_senses()["dalmatian"] == gloss("n02110341")
    assert "crane" not in wordnet_senses() and len(wordnet_senses()) == 996
    with pytest.raises(ValueError, match="not 1 of 1 classes: crane"):
        WordNet().describe(["crane"])


def published(name: str) -> list[str]:
    """Class names of a published split, whatever the layout of its file."""
    path = PUBLISHED / f"{name}_classes.json"
    if not path.is_file():
        pytest.skip(f"no published split at ../shared/data/splits/{path.name}")
    content = json.loads(path.read_text())
    splits = content.get("FEAT_csv", content)
    return [
        entry["wnid"] if isinstance(entry, dict) else entry
        for split in ("train", "val", "test")
        for entry in splits[split]
    ]


def covered(name: str, classes: Sequence[str]) -> None:
    descriptors = Shipped(name).describe(classes)
    counts = {c: sum(d.class_name == c for d in descriptors) for c in classes}
    assert {c: n for c, n in counts.items() if not 6 <= n <= 10} == {}
    assert {d.written_by for d in descriptors} == {"written for syntrans_l2l"}
    assert "How class descriptors are written" in descriptors[0].prompt


def test_shipped_for_cifar() -> None:
    covered("cifar100", [name for names in CLASSES.values() for name in names])


def test_shipped_for_mini_imagenet() -> None:
    import importlib.resources

    from timm.data.imagenet_info import _SUBSETS  # noqa: F401  # timm carries the table below

    table = importlib.resources.files("timm.data") / "_info" / "mini_imagenet_synsets.txt"
    wnids = table.read_text().split()
    assert len(wnids) == 100
    covered("imagenet", wnids)


def test_shipped_for_cub() -> None:
    from syntrans_l2l._learn2learn import learn2learn

    splits = learn2learn().vision.datasets.cu_birds200.SPLITS
    covered("cub", [name for names in splits.values() for name in names])


@pytest.mark.parametrize(
    ("shipped", "split", "classes"),
    [
        ("cifar100", "cifar_fs", 100),
        ("cifar100", "fc100", 100),
        ("imagenet", "miniimagenet", 100),
        ("imagenet", "tieredimagenet", 608),
        ("cub", "cub", 200),
    ],
)
def test_shipped_for_the_published_splits(shipped: str, split: str, classes: int) -> None:
    names = published(split)
    assert len(set(names)) == classes
    covered(shipped, names)


def test_shipped_files_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no shipped descriptors 'mini'"):
        Shipped("mini")
    content = json.loads(Shipped(SHIPPED[0]).path.read_text())
    content["classes"]["apple"][0] += "!"
    folder = tmp_path / "assets" / "descriptors"
    folder.mkdir(parents=True)
    (folder / "cifar100.json").write_text(json.dumps(content))
    monkeypatch.setattr("syntrans_l2l.semantics.written.files", lambda package: tmp_path)
    with pytest.raises(ValueError, match="does not match its hash"):
        Shipped("cifar100")


def test_a_file_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"Maple tree": ["lobed leaves"], "n02110341": ["black spots"]}))
    found = Written(path, written_by="A. Author").describe(["dalmatian", "maple_tree"])
    assert [(d.class_name, d.phrase) for d in found] == [
        ("dalmatian", "black spots"),
        ("maple_tree", "lobed leaves"),
    ]
    assert found[0].written_by == "A. Author"
    with pytest.raises(ValueError, match=r"mine\.json: no descriptors for 1 of 2 classes: bed"):
        Written(path).describe(["bed", "maple_tree"])
    keys = []
    for phrase in ("lobed leaves", "red leaves"):
        path.write_text(json.dumps({"maple_tree": [phrase]}))
        keys.append(Written(path).key())
    assert keys[0] != keys[1]


def phrases_of(path: Path, classes: Sequence[str]) -> dict[str, list[str]]:
    found = Written(path).describe(classes)
    return {name: [d.phrase for d in found if d.class_name == name] for name in classes}


def test_names_that_differ_in_case_only_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"Apple": ["a lit screen"], "apple": ["a red skin"]}))
    expected = {"apple": ["a red skin"], "Apple": ["a lit screen"]}
    assert phrases_of(path, ["apple", "Apple"]) == expected
    with pytest.raises(ValueError, match="'APPLE' may be any of Apple, apple; call it exactly"):
        Written(path).describe(["APPLE"])
    path.write_text(json.dumps({"apple": ["a red skin"]}))
    assert phrases_of(path, ["Apple"]) == {"Apple": ["a red skin"]}
    with pytest.raises(ValueError, match=r"'apple' and 'Apple' would both read .* of 'apple'"):
        Written(path).describe(["apple", "Apple"])


def test_one_letter_written_in_two_ways(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"cafe\u0301": ["small tables"]}))
    assert phrases_of(path, ["caf\u00e9"]) == {"caf\u00e9": ["small tables"]}


def test_encodings_of_a_file(tmp_path: Path) -> None:
    path, text = tmp_path / "mine.json", json.dumps({"café": ["grüne Läden"]}, ensure_ascii=False)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert phrases_of(path, ["café"]) == {"café": ["grüne Läden"]}
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"mine\.json: .*can't decode.*; save it as UTF-8"):
        Written(path).describe(["café"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "a JSON object of class names is wanted"),
        ("{", "Expecting property name"),
        ("{}", "a JSON object of class names is wanted"),
        ('{"bed": []}', "class 'bed' needs a list of phrases"),
        ('{"bed": "soft"}', "class 'bed' needs a list of phrases"),
        ('{"bed": [" "]}', "class 'bed' needs a list of phrases"),
        ('{"bed": ["a b"], "bed": ["c d"]}', "class names occur twice: bed"),
        (f'{{"bed": ["{"soft " * 61}"]}}', "class 'bed' has 'soft soft .*longer than 60 words"),
        ('{"bed": ["<b>soft</b> covers"]}', "class 'bed' has '<b>soft</b> covers'.* markup"),
        ('{"bed": ["a bed"]}', "class 'bed' has 'a bed'.*names the class only"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Written(tmp_path / "bad.json").describe(["bed"])
    with pytest.raises(FileNotFoundError, match="no file of descriptors"):
        Written(tmp_path / "none.json")
