"""splits.json as people write it, CSV files, three folders, and names of classes."""

import json
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.semantics.text_encoder import prompts
from syntrans_l2l.semantics.wordnet import WordNet
from syntrans_l2l.semantics.written import Written

GOOD = {"train": ["a"], "val": ["b"], "test": ["c"]}
DECOMPOSED, COMPOSED = "cafe\u0301", "caf\u00e9"


def folders(root: Path, *names: str, images: int = 1) -> Path:
    for place, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(images):
            shade = (40 * place + number) % 256
            Image.new("L", (8, 8), shade).save(root / name / f"{place}_{number}.png")
    return root


def counts(root: Path, **settings: Any) -> dict[str, dict[str, int]]:
    return ImageFolderBenchmark(root=root, size=8, **settings).class_counts(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"train": ["a"],}', "is no JSON of text in UTF-8: .*line 1 column 17"),
        ("", "is no JSON"),
        ('["a", "b", "c"]', "must hold an object"),
        ('{"train": [1], "val": [2], "test": [3]}', "train must list class folders, got 1"),
        ('{"train": "a", "val": ["b"], "test": ["c"]}', "train must be a list of class folders"),
        ('{"train": {"a": 1}, "val": ["b"], "test": ["c"]}', "train must be a list"),
        ('{"train": ["a"], "val": ["b"], "test": []}', "test must be a list of class folders"),
        ('{"train": ["a"], "val": ["b"], "test": [""]}', "test must list class folders, got ''"),
        ('{"train": ["a"], "val": ["b"], "test": null}', "test must be a list"),
        ('{"train": ["a"], "val": ["b"], "test": ["c"], "seed": 1}', "must name train, val and"),
        ('{"train": ["a"], "val": ["b"], "validation": ["c"]}', "must name train, val and test"),
        ('{"base": ["a"], "val": ["b"], "novel": ["c"]}', "must name train, val and test"),
        ('{"train": ["a"], "train": ["b"], "val": [], "test": []}', "train occurs twice"),
        ('{"train": ["a"], "val": ["b"], "test": ["a"]}', "names a twice"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_faults_in_splits_json(tmp_path: Path, text: str, message: str) -> None:
    root = folders(tmp_path, "a", "b", "c")
    (root / "splits.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"splits\.json.*{message}") as error:
        counts(root, splits="splits.json")
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_other_encodings_of_splits_json(tmp_path: Path) -> None:
    root = folders(tmp_path, "a", "b", "c")
    (root / "splits.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert counts(root)["test"] == {"c": 1}
    (root / "splits.json").write_bytes(json.dumps(GOOD).encode("utf-16"))
    with pytest.raises(ValueError, match=r"splits\.json is no JSON of text in UTF-8"):
        counts(root)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("written", [DECOMPOSED, COMPOSED])
def test_accents_compare_as_they_look(tmp_path: Path, form: Any, written: str) -> None:
    root = folders(tmp_path, unicodedata.normalize(form, COMPOSED), "b", f"d/{COMPOSED}")
    splits = {"train": [written], "val": ["b"], "test": [f"d/{written}"]}
    (root / "splits.json").write_text(json.dumps(splits, ensure_ascii=False), encoding="utf-8")
    assert counts(root) == counts(root, splits=splits)
    assert list(counts(root)["train"]) == [COMPOSED]


def test_splits_are_utf_8_in_any_locale(tmp_path: Path) -> None:
    root = folders(tmp_path, COMPOSED, "b", "c")
    splits = json.dumps({**GOOD, "train": [COMPOSED]}, ensure_ascii=False)
    (root / "splits.json").write_text(splits, encoding="utf-8")
    script = f"""
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
counts = ImageFolderBenchmark(root={str(root)!a}).class_counts({str(root)!a})
assert list(counts["train"]) == ["caf\\u00e9"], counts
"""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PATH": "/usr/bin"}
    path = {"PYTHONPATH": ":".join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=plain | path
    )
    assert result.returncode == 0, result.stderr


def test_three_folders_are_splits_and_may_share_classes(tmp_path: Path) -> None:
    root = folders(tmp_path, "train/cat", "train/maple_tree", "val/n01440764", "test/cat", images=2)
    folders(root, "test/@eaDir", "train/.git", images=0)
    data = ImageFolderBenchmark(root=root, size=8).load(root, Cache(tmp_path / "cache"))
    assert data.class_names == ("train/cat", "maple_tree", "n01440764", "test/cat")
    assert prompts(data.class_names) == [
        f"a photo of a {name}" for name in ("cat", "maple tree", "tench", "cat")
    ]
    assert data.test.images.flatten(1)[:, 0].tolist() == [120, 121]
    (root / "val").rename(root / "validation")
    assert counts(root)["validation"] == {"n01440764": 2}
    with pytest.raises(ValueError, match=r"no class folder in .*test"):
        (root / "test" / "cat").rename(tmp_path / "gone")
        counts(root)


def test_tables_of_pictures(tmp_path: Path) -> None:
    """miniImageNet's and FEAT's form: pictures in one folder, labels in three files."""
    root = tmp_path / "mini"
    (root / "images").mkdir(parents=True)
    rows: Mapping[str, list[tuple[str, str]]] = {
        "train": [("1.png", "n2"), ("2.png", "n1"), ("3.png", "n2")],
        "val": [("4.png", "n3")],
        "test": [("5.png", "n4"), ("6.png", "n1")],
    }
    for split, lines in rows.items():
        table = "".join(f"{name},{label},x\n" for name, label in lines)
        folder = root / "split"
        folder.mkdir(exist_ok=True)
        (folder / f"{split}.csv").write_text("\ufefffilename,label,more\n" + table, "utf-8")
        for name, _ in lines:
            Image.new("L", (8, 8), 10 * int(name[0])).save(root / "images" / name)
    benchmark = ImageFolderBenchmark(root=root, splits="split", size=8)
    data = benchmark.load(tmp_path, Cache(tmp_path / "cache"))
    assert data.class_names == ("train/n1", "n2", "n3", "test/n1", "n4")
    shown = data.train.images[:, 0, 0, 0]
    assert [shown[data.train.labels == label].tolist() for label in (0, 1)] == [[20], [10, 30]]
    (root / "split" / "val.csv").write_text("filename,label\n4.png,n3\n1.png,n3\n")
    with pytest.raises(ValueError, match=r"1 pictures are listed twice: 1\.png, in .*train\.csv"):
        benchmark.class_counts(root)
    (root / "split" / "val.csv").write_text("filename,label\n8.png,n3\n9.png,n3\n")
    with pytest.raises(FileNotFoundError, match=r"2 pictures are missing: 8\.png, 9\.png, below"):
        benchmark.class_counts(root)
    for text, message in (
        ("name,label\na,b\n", r"val\.csv is no CSV .*: it lacks the column filename"),
        ("filename,label\na\n", r"val\.csv: row 2 lacks a filename or a label"),
        ("filename,label\n", r"val\.csv lists no picture"),
    ):
        (root / "split" / "val.csv").write_text(text)
        with pytest.raises(ValueError, match=message):
            benchmark.class_counts(root)


def test_names_of_classes_apart_from_folders(tmp_path: Path) -> None:
    root = folders(tmp_path / "pets", "a", "real/c", "sketch/c", "b")
    splits = {"train": ["a"], "val": ["b"], "test": ["real/c", "sketch/c"]}
    (root / "splits.json").write_text(json.dumps(splits))
    assert list(counts(root)["test"]) == ["real/c", "sketch/c"]
    named = {"a": "maple tree", "b": " great  white ", "c": "cat"}
    (root / "class_names.json").write_text(json.dumps(named))
    data = ImageFolderBenchmark(root=root, size=8).load(tmp_path, Cache(tmp_path / "cache"))
    assert data.class_names == ("maple tree", "great white", "real/c/cat", "sketch/c/cat")
    assert data.class_keys == ("a", "b", "real/c", "sketch/c")
    assert prompts(data.class_names)[-2:] == ["a photo of a cat"] * 2
    (root / "class_names.json").write_text(json.dumps({**named, "z": "further"}))
    assert list(counts(root)["train"]) == ["maple tree"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["a"]', "must hold an object"),
        ('{"a": 1}', "a must have a name as text"),
        ('{"a": " "}', "a must have a name as text"),
        ('{"A": "ant"}', r"names 1 folders: A, which are no classes, and lacks 3 classes: a, b, c"),
    ],
)
def test_faults_in_class_names(tmp_path: Path, text: str, message: str) -> None:
    root = folders(tmp_path, "a", "b", "c")
    (root / "class_names.json").write_text(text)
    with pytest.raises(ValueError, match=rf"class_names\.json.*{message}"):
        counts(root, splits=GOOD)


def test_descriptors_by_name_for_folders_of_ids_and_the_other_way_round(tmp_path: Path) -> None:
    file = tmp_path / "phrases.json"
    file.write_text(json.dumps({"tench": ["a golden body"], "cat": ["whiskers"]}))
    by_name = Written(file).describe(["n01440764", "test/n01440764", "sketch/cat"])
    assert [each.phrase for each in by_name] == ["a golden body", "a golden body", "whiskers"]
    file.write_text(json.dumps({"n01440764": ["a golden body"]}))
    assert Written(file).describe(["val/tench"])[0].phrase == "a golden body"
    assert (
        WordNet().describe(["test/n01440764"])[0].phrase == WordNet().describe(["tench"])[0].phrase
    )


def test_nothing_that_says_how_to_divide(tmp_path: Path) -> None:
    root = folders(tmp_path, "a", "b")
    with pytest.raises(FileNotFoundError, match=r"no file of splits at .*splits\.json.*train\.csv"):
        counts(root)
    with pytest.raises(FileNotFoundError, match=r"no folder of pictures at .*none; correct root"):
        counts(root / "none", splits=GOOD)


def test_small_classes_are_all_named_or_left_out(tmp_path: Path) -> None:
    root = folders(tmp_path / "pets", "a", "b", "c", "d", images=4)
    for name in "bd":
        (root / name / f"{'abcd'.index(name)}_3.png").unlink()
    splits = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
    (root / "splits.json").write_text(json.dumps(splits))
    data = ImageFolderBenchmark(root=root, size=8).load(tmp_path, Cache(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"1 of 2 classes have fewer: 'b' has 3; .*classes = 4"):
        data.train.check_episodes(ways=2, shots=1, queries=3)
    with pytest.raises(ValueError, match="no class is left in test; lower skip_small_classes"):
        counts(root, skip_small_classes=4)
    (root / "splits.json").write_text(json.dumps({**splits, "test": ["d", "a"], "train": ["b"]}))
    with pytest.raises(ValueError, match="no class is left in train"):
        counts(root, skip_small_classes=4)
    (root / "splits.json").write_text(json.dumps({**splits, "val": ["d"], "test": ["c"]}))
    kept = ImageFolderBenchmark(root=root, size=8, skip_small_classes=3)
    assert kept.name == "pets, classes of 3 or more"
    folders(root, "e", images=1)
    (root / "splits.json").write_text(json.dumps({**splits, "train": ["a", "b", "e"]}))
    least = kept.load(tmp_path, Cache(tmp_path / "cache"))
    assert least.name == kept.name and least.train.class_names == ("a", "b")
    assert least.fingerprint == data.fingerprint
    with pytest.raises(ValueError, match=r"skip_small_classes is the least number of images.*True"):
        ImageFolderBenchmark(root=root, skip_small_classes=True)
