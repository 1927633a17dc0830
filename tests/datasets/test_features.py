import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.datasets.feature_file import FeatureBenchmark, save_features
from syntrans_l2l.datasets.features import feature_data

CONTENT: dict[str, Any] = {
    "features": np.arange(24, dtype=np.float64).reshape(8, 3),
    "labels": np.array([3, 0, 1, 2, 3, 0, 1, 2]),
    "class_names": ["sea", "ray", "bear", "bus"],
    "split": ["test", "train", "val", "test"],
}


def load(folder: Path, **changes: object) -> FewShotData:
    np.savez(folder / "mine.npz", **{**CONTENT, **changes})
    return FeatureBenchmark("mine.npz").load(folder, Cache(folder))


def test_an_npz_is_a_data_set(tmp_path: Path) -> None:
    data = load(tmp_path)
    assert data.name == "mine"
    assert data.test.class_names == ("sea", "bus")
    assert data.test.labels.tolist() == [1, 0, 1, 0]
    assert data.test.images.tolist() == [[0, 1, 2], [3, 4, 5], [12, 13, 14], [15, 16, 17]]
    assert data.validation.images.dtype == torch.float32
    counts = FeatureBenchmark(tmp_path / "mine.npz").class_counts(tmp_path)
    assert counts == {"train": {"ray": 2}, "validation": {"bear": 2}, "test": {"sea": 2, "bus": 2}}


def test_the_fingerprint_covers_names_and_splits(tmp_path: Path) -> None:
    """Episodes and records are found by it: they must not outlive a change of classes."""
    moved, renamed = ["train", "test", "val", "test"], ["sea", "ray", "bear", "tram"]
    prints = [
        load(tmp_path, **changes).fingerprint
        for changes in ({}, {}, {"split": moved}, {"class_names": renamed})
    ]
    assert prints[0] == prints[1] and len(set(prints)) == 3


def test_safetensors_hold_the_same(tmp_path: Path) -> None:
    tensors = {name: torch.from_numpy(CONTENT[name]) for name in ("features", "labels")}
    texts = {name: json.dumps(CONTENT[name]) for name in ("class_names", "split")}
    save_file(tensors, tmp_path / "mine.safetensors", metadata=texts)
    data = FeatureBenchmark("mine.safetensors").load(tmp_path, Cache(tmp_path))
    assert torch.equal(data.test.images, load(tmp_path).test.images)


def test_what_is_saved_comes_back(tmp_path: Path, data: FewShotData) -> None:
    features = {split: torch.randn(len(getattr(data, split).labels), 5)
                for split in ("train", "validation", "test")}  # fmt: skip
    save_features(tmp_path / "deep" / "saved.safetensors", data, features, "an encoder")
    read = FeatureBenchmark(tmp_path / "deep" / "saved.safetensors").load(tmp_path, Cache(tmp_path))
    assert (read.name, read.encoder, read.class_names) == ("random", "an encoder", data.class_names)
    for split, expected in features.items():
        assert torch.equal(getattr(read, split).images, expected)
        assert torch.equal(getattr(read, split).labels, getattr(data, split).labels)


def test_train_may_be_absent(tmp_path: Path) -> None:
    data = load(tmp_path, split=["test", "val", "val", "test"])
    assert data.train.images.shape == (0, 3) and data.train.class_names == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": CONTENT["labels"] + 0.5}, "labels are not whole numbers"),
        ({"labels": CONTENT["labels"] + 1}, r"labels must lie in 0 to 3.*got 1 to 4"),
        ({"labels": CONTENT["labels"][:7]}, r"features must be \[n, D\] and labels \[n\]"),
        ({"features": CONTENT["features"] * np.nan}, "features hold NaN or infinity"),
        ({"split": ["test", "train", "val"]}, "split have one entry for each"),
        ({"class_names": ["sea", "ray", "sea", "bus"]}, r"4 names \(3 distinct\)"),
        ({"split": ["test", "train", "train", "test"]}, "no class has the split validation"),
        ({"split": ["test", "train", "val", "novel"]}, r"must be train, val or test, got \['novel"),
        ({"features": np.array([None, 1])}, "cannot be read.*it is an .npz or .safetensors file"),
        ({"features": CONTENT["features"] > 3}, "features must be real numbers, got torch.bool"),
        (
            {"features": CONTENT["features"] + 1j},
            "features must be real numbers, got torch.complex",
        ),
        ({"features": CONTENT["features"] * 1e300}, "features hold NaN or infinity"),
        ({"features": CONTENT["features"][:, :0]}, r"features must be \[n, D\]"),
        ({"labels": CONTENT["labels"] > 1}, "labels must be one list of integers"),
        ({"labels": CONTENT["labels"][:, None]}, "labels must be one list of integers"),
        ({"labels": CONTENT["labels"].astype(str)}, "cannot be read"),
        ({"split": "train"}, "split is no list"),
        ({"class_names": [["sea", "ray"], ["bear", "bus"]]}, "is no text"),
        ({"class_names": ["sea", "ray", "caf\u00e9", "cafe\u0301"]}, r"4 names \(3 distinct\)"),
    ],
)
def test_files_of_another_form(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(tmp_path, **changes)


def test_a_missing_file_is_described(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no features at .*none\.npz; it is an \.npz or"):
        FeatureBenchmark("none.npz").class_counts(tmp_path)
    (tmp_path / "few.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"few\.npz cannot be read"):
        FeatureBenchmark("few.npz").class_counts(tmp_path)


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i2", "f2", "f8", ">i4"])
def test_labels_of_any_numpy_type(tmp_path: Path, kind: str) -> None:
    data = load(tmp_path, labels=CONTENT["labels"].astype(kind))
    assert data.fingerprint == load(tmp_path).fingerprint


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f8", "u1", "i8"])
def test_features_of_any_numpy_type(tmp_path: Path, kind: str) -> None:
    data = load(tmp_path, features=CONTENT["features"].astype(kind))
    assert data.fingerprint == load(tmp_path).fingerprint


@pytest.mark.parametrize("form", [np.ndarray.tolist, torch.as_tensor, np.float16, np.asarray])
def test_arrays_in_memory_are_taken_as_files_are(tmp_path: Path, form: Any) -> None:
    names, split = CONTENT["class_names"], CONTENT["split"]
    data = feature_data(form(CONTENT["features"]), form(CONTENT["labels"]), names, split)
    assert data.fingerprint == load(tmp_path).fingerprint
    assert (data.name, data.encoder) == ("features", "given features")


def test_small_classes_are_left_out_and_the_name_says_so(tmp_path: Path) -> None:
    labels = np.array([3, 0, 1, 2, 3, 0, 0, 2])
    load(tmp_path, labels=labels, split=["test", "train", "val", "test"], name="birds / b")
    counts = FeatureBenchmark("mine.npz", skip_small_classes=2).class_counts(tmp_path)
    assert counts == {"train": {}, "validation": {"bear": 2}, "test": {"sea": 3, "bus": 2}}
    all_of_them = FeatureBenchmark("mine.npz").load(tmp_path, Cache(tmp_path))
    least = FeatureBenchmark("mine.npz", skip_small_classes=2)
    some = least.load(tmp_path, Cache(tmp_path))
    assert (some.name, least.name) == ("birds / b, classes of 2 or more",
                                       "mine, classes of 2 or more")  # fmt: skip
    assert some.fingerprint != all_of_them.fingerprint
    assert some.test.images.tolist() == all_of_them.test.images.tolist()
