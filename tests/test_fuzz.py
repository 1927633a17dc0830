"""A thousand random mutations of what people write: success, or one line of error.

Settings are mutated as values, files as values and as bytes. Each mutation comes from its own
number, so that a failure names what to repeat.
"""

import json
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.experiment.config import load_experiment
from syntrans_l2l.semantics.text_encoder import VectorFile

MUTATIONS = 1000
ERRORS = (ValueError, OSError, ImportError)  # what the commands tell in one line
NAMES = ["sea", "ray", "bear", "bus", "tram", "caf\u00e9"]
WHERE = ["train", "train", "val", "val", "test", "test"]

ODD: Sequence[Any] = (
    None, True, 0, -1, 1, 5, 2**40, 2**70, 0.5, float("nan"), float("inf"), 1j, "", " ", "5",
    "train", "sea", "a/b", "../x", "\0", "\ud800", "caf\u0065\u0301", "x" * 5000, b"sea", [], [[]],
    ["sea"], [None], [1, "sea"], {}, {"train": ["sea"]}, (), ((),),
)  # fmt: skip
ARRAYS: Sequence[Any] = (
    *(np.zeros(6, kind) for kind in ("?", "u1", "u8", "f2", ">i4", "c8", "U3", "S3", "M8[D]", "O")),
    np.zeros((6, 0)), np.zeros((0, 3)), np.zeros((6, 3), "f2"), np.zeros((6, 3), ">f8"),
    np.full((6, 3), np.nan), np.full((6, 3), 1e300), np.full(6, 2**64 - 1, "u8"),
    np.zeros((6, 3, 1)), np.zeros(6, [("a", "i4")]), np.float64(1), np.zeros((6, 3), np.longdouble),
)  # fmt: skip


def mutated(value: Any, chance: random.Random) -> Any:
    """The value with one part of it replaced, left out, doubled or wrapped."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        kept = {each: what for each, what in value.items() if each != key}
        renamed = {**kept, chance.choice(["Train", "seed", "", "val"]): value[key]}
        changed = {**value, key: mutated(value[key], chance)}
        return chance.choice([kept, renamed, changed, changed])
    if isinstance(value, list) and value and chance.random() < 0.7:
        place = chance.randrange(len(value))
        changed_list = [*value[:place], mutated(value[place], chance), *value[place + 1 :]]
        return chance.choice(
            [value[:place] + value[place + 1 :], [*value, value[place]], changed_list]
        )
    return chance.choice(ODD)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The bytes with one of them changed, some left out, or something between them."""
    place = chance.randrange(len(content))
    before, after = content[:place], content[place:]
    return chance.choice(
        [
            before + chance.randbytes(1) + after[1:],
            before,
            before + after[chance.randrange(9) :],
            before + chance.randbytes(5) + after,
            b"\xef\xbb\xbf" + content,
        ]
    )


def change_splits(folder: Path, chance: random.Random) -> Callable[[], object]:
    root = folder / "set"
    for number, name in enumerate(NAMES):
        if not (root / name).is_dir():
            (root / name).mkdir(parents=True)
            Image.new("L", (8, 8), 40 * number).save(root / name / "0.png")
    splits = {where: [name for name, its in zip(NAMES, WHERE, strict=True) if its == where]
              for where in ("train", "val", "test")}  # fmt: skip
    names = dict(zip(NAMES, ["the sea", *NAMES[1:]], strict=True))
    files = {"splits.json": splits, "class_names.json": names}
    target = chance.choice(list(files))
    for file, content in files.items():
        changed = mutated(content, chance) if file == target else content
        text = json.dumps(changed, default=str).encode()
        as_bytes = file == target and chance.random() < 0.4
        (root / file).write_bytes(damaged(text, chance) if as_bytes else text)
    return lambda: ImageFolderBenchmark(root=root, size=8).class_counts(folder)


def change_tables(folder: Path, chance: random.Random) -> Callable[[], object]:
    root = folder / "tables"
    target = chance.choice(["train", "val", "test"])
    for where in ("train", "val", "test"):
        lines = ["filename,label"]
        for number, (name, its) in enumerate(zip(NAMES, WHERE, strict=True)):
            if its == where:
                lines.append(f"{number}.png,{name}")
                picture = root / "images" / f"{number}.png"
                if not picture.exists():
                    picture.parent.mkdir(parents=True, exist_ok=True)
                    Image.new("L", (8, 8), 40 * number).save(picture)
        text = "\n".join(lines).encode()
        (root / f"{where}.csv").write_bytes(damaged(text, chance) if where == target else text)
    return lambda: ImageFolderBenchmark(root=root, size=8).class_counts(folder)


def change_pictures(folder: Path, chance: random.Random) -> Callable[[], object]:
    suffix, mode = chance.choice([("png", "RGB"), ("png", "I;16"), ("gif", "P"), ("jpg", "RGB"),
                                  ("tif", "F"), ("bmp", "L"), ("webp", "RGB")])  # fmt: skip
    root = folder / "pictures"
    for place in "abc":
        (root / place).mkdir(parents=True, exist_ok=True)
        for old in (root / place).iterdir():
            old.unlink()
        Image.new(mode, (9, 8)).save(root / place / f"0.{suffix}")
    broken = root / "b" / f"0.{suffix}"
    broken.write_bytes(damaged(broken.read_bytes(), chance))
    splits = {"train": ["a"], "val": ["b"], "test": ["c"]}
    benchmark = ImageFolderBenchmark(root=root, splits=splits, size=8)
    return lambda: benchmark.load(folder, Cache(folder / "cache"))


def write_arrays(path: Path, content: dict[str, Any], chance: random.Random) -> Path:
    """A file of arrays, npz or safetensors, with one of them mutated or its bytes damaged."""
    name = chance.choice(list(content))
    kind = chance.randrange(4)
    if kind == 0:
        content = {**content, name: chance.choice(ARRAYS)}
    elif kind == 1:
        changed = mutated(np.asarray(content[name]).tolist(), chance)
        try:
            content = {**content, name: np.array(changed)}
        except (ValueError, OverflowError):  # nothing that NumPy could save
            content = {**content, name: np.array(str(changed))}
    elif kind == 2:
        content = {each: value for each, value in content.items() if each != name}
    path = path.with_suffix(chance.choice([".npz", ".npz", ".safetensors"]))
    if path.suffix == ".npz":
        np.savez(path, **content)
    else:
        save_tensors(path, content)
    if kind == 3:
        path.write_bytes(damaged(path.read_bytes(), chance))
    return path


def save_tensors(path: Path, content: dict[str, Any]) -> None:
    """What numbers there are as tensors, the rest as JSON beside them."""
    arrays = {name: np.asarray(value) for name, value in content.items()}
    tensors = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        for name, array in arrays.items()
        if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8
    }
    texts = {
        name: array.item() if array.ndim == 0 and array.dtype.kind == "U"
        else json.dumps(array.tolist(), default=str)
        for name, array in arrays.items()
        if name not in tensors
    }  # fmt: skip
    # what no UTF-8 can hold, no such file can
    metadata = {name: str(text).encode(errors="replace").decode() for name, text in texts.items()}
    save_file(tensors, path, metadata=metadata)


def change_features(folder: Path, chance: random.Random) -> Callable[[], object]:
    features = np.random.default_rng(0).normal(size=(12, 3))
    content = {"features": features, "labels": np.arange(12) % 6, "class_names": NAMES,
               "split": WHERE, "name": "drawn", "encoder": "none"}  # fmt: skip
    path = write_arrays(folder / "features", content, chance)
    least = chance.choice([0, 0, 2, 3])
    return lambda: FeatureBenchmark(path, skip_small_classes=least).class_counts(folder)


def change_vectors(folder: Path, chance: random.Random) -> Callable[[], object]:
    content = {"class_names": NAMES, "vectors": np.eye(6)}
    path = write_arrays(folder / "vectors", content, chance)
    return lambda: VectorFile(path).encode_classes(NAMES)


SETTINGS = {
    **{f"Experiment.{name}": value for name, value in {
        "ways": "2", "shots": "[1]", "queries": "1", "episodes": "10", "validation_episodes": "10",
        "seed": "0", "training_seed": "0", "reference": "'protonet_cosine'", "comparisons": "[]",
        "methods": "[@ProtoNet(), @SynTransRow()]", "dataset": "@FeatureBenchmark()",
        "student": "@cnn4", "text_encoder": "@class_vectors()", "base_training": "@BaseTraining()",
    }.items()},
    "FeatureBenchmark.path": "%features", "FeatureBenchmark.skip_small_classes": "0",
    "class_vectors.vectors": "%vectors", "class_vectors.sentence_encoder": "''",
    "ProtoNet.distance": "'cosine'", "BaseTraining.epochs": "1",
    "SynTransRow.variant": "'full'", "SynTransRow.parts": "@SynTransSettings()",
    "SynTransSettings.folds": "1", "SynTransSettings.alphas": "[0.0, 1.0]",
    "SynTransSettings.attention": "False", "SynTransSettings.meta": "@MetaTraining()",
    "MetaTraining.iterations": "2", "MetaTraining.queries": "1", "BridgeTraining.epochs": "1",
    "BridgeTraining.precision": "'float32'",
}  # fmt: skip


def change_settings(folder: Path, chance: random.Random) -> Callable[[], object]:
    """One setting of a gin file mutated, or the bytes of the file damaged."""
    config, features, vectors = folder / "own.gin", folder / "plain.npz", folder / "v.npz"
    np.savez(
        features, features=np.eye(12), labels=np.arange(12) % 6, class_names=NAMES, split=WHERE
    )
    np.savez(vectors, class_names=NAMES, vectors=np.eye(6))
    settings = dict(SETTINGS)
    name = chance.choice(list(settings))
    whole = chance.random() < 0.3
    if not whole:
        settings[name] = repr(mutated([chance.choice(ODD)], chance))
        if chance.random() < 0.5:
            settings[name] = repr(chance.choice(ODD))
    lines = [f"{each} = {value}" for each, value in settings.items()]
    lines += [f"features = '{features}'", f"vectors = '{vectors}'"]
    text = "\n".join(lines).encode()
    config.write_bytes(damaged(text, chance) if whole else text)
    return lambda: load_experiment(config, []).check(folder)


CHANGES = (
    change_splits,
    change_tables,
    change_pictures,
    change_features,
    change_vectors,
    change_settings,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_mutations_end_in_success_or_one_line(
    tmp_path: Path, change: Callable[[Path, random.Random], Callable[[], object]]
) -> None:
    faults, refused = [], 0
    for number in range(MUTATIONS // len(CHANGES)):
        attempt = change(tmp_path, random.Random(f"{change.__name__} {number}"))
        fault, was_refused = _outcome(attempt)
        refused += was_refused
        faults += [f"number {number}: {fault}"] if fault else []
    assert not faults, "\n".join(faults)
    assert refused > 10, "the mutations change nothing"
    assert refused < MUTATIONS // len(CHANGES), "nothing is ever taken"


def _outcome(attempt: Callable[[], object]) -> tuple[str, bool]:
    """What is wrong with how it ends, and whether it was refused."""
    try:
        attempt()
    except ERRORS as error:
        if isinstance(error, UnicodeError | json.JSONDecodeError) or "\n" in str(error):
            return f"{type(error).__name__} in no plain line: {error}", True
        return "" if str(error).strip() else f"{type(error).__name__} says nothing", True
    except Exception as error:
        return f"{type(error).__name__}: {error}", True
    return "", False


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (KeyError("sea"), "KeyError: 'sea'"),
        (ValueError("two\nlines"), "ValueError in no plain line"),
        (ValueError(), "ValueError says nothing"),
        (ValueError("one line"), ""),
    ],
)
def test_the_fuzz_test_can_fail(error: Exception, fault: str) -> None:
    def attempt() -> None:
        raise error

    assert _outcome(partial(attempt))[0].startswith(fault)
    assert bool(_outcome(attempt)[0]) == bool(fault)
