"""Exported episodes are those that rows see, and their images can be found outside."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import features_file
from common import SPLITS, write_archive
from PIL import Image

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.cifar_fs import CifarFs
from syntrans_l2l.datasets.decoding import decode
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.datasets.generated import Generated
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.datasets.in_memory import InMemory
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.exported import ROWS, exported_episodes
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.reporting.records import RecordStore, read_diagnostics

SMALL: dict[str, Any] = {"queries": 3, "episodes": 6, "validation_episodes": 4}


def test_the_episodes_are_those_that_rows_see(tmp_path: Path) -> None:
    features_file(tmp_path)
    experiment = Experiment(
        dataset=FeatureBenchmark("features.npz"), methods=[ProtoNet()], shots=(1, 2), **SMALL
    )
    store = RecordStore(tmp_path / "out")
    records = list(experiment.run(root=tmp_path, cache=Cache(tmp_path / "cache"), store=store))
    # a cache of its own: nothing is handed over but the settings
    files = list(exported_episodes(experiment, root=tmp_path, cache=Cache(tmp_path / "other")))
    assert [file.episodes.shots for file in files] == [1, 2]
    for record, file in zip(records, files, strict=True):
        seen, names = read_diagnostics(tmp_path / "out" / record.diagnostics)
        assert torch.equal(file.episodes.support[:3], seen["shown_support"])
        assert torch.equal(file.episodes.query[:3], seen["shown_query"])
        assert list(file.class_names) == names
        assert (file.data_fingerprint, file.seed) == (record.data_fingerprint, record.seed)


def test_rows_of_a_file_of_features_in_any_order(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    labels = chance.permutation(np.repeat(np.arange(15), 8))
    features = chance.normal(size=(120, 4)).astype("float32")
    np.savez(
        tmp_path / "mixed.npz", features=features, labels=labels,
        class_names=[f"c{label}" for label in range(15)],
        split=["test", "train", "val"] * 5,
    )  # fmt: skip
    dataset = FeatureBenchmark("mixed.npz")
    experiment = Experiment(dataset=dataset, methods=[ProtoNet()], shots=(1,), **SMALL)
    cache = Cache(tmp_path / "cache")
    [file] = exported_episodes(experiment, root=tmp_path, cache=cache)
    test = dataset.load(tmp_path, cache).test
    assert file.images_are == "rows of mixed.npz"
    assert np.array_equal(features[np.array(file.images)], test.images.numpy())


def test_files_of_pictures(tmp_path: Path) -> None:
    write_archive(tmp_path, SPLITS, images=5)
    experiment = Experiment(dataset=CifarFs(), methods=[ProtoNet()], shots=(1,), **SMALL)
    cache = Cache(tmp_path / "cache")
    [file] = exported_episodes(experiment, root=tmp_path, cache=cache)
    test = experiment.dataset.load(tmp_path, cache).test
    for row, name in enumerate(file.images):
        path = tmp_path / str(name)
        assert torch.equal(decode(path, 32, where=str(path)), test.images[row])
        assert path.parent.name == test.class_keys[int(test.labels[row])]
        assert Image.open(path).size == (32, 32)


@pytest.mark.parametrize("listed", [True, False])
def test_names_stay_those_of_the_whole_split_where_classes_are_dropped(
    tmp_path: Path, listed: bool
) -> None:
    """Red before: rows were counted without the dropped class, and files were not found."""
    write_archive(tmp_path, SPLITS, images=5)
    apart = {"train": SPLITS["val"][:2], "val": SPLITS["val"][2:4]}
    shared, *others = SPLITS["train"][0], *SPLITS["test"]
    target: Any = ImageFolderBenchmark(
        root=tmp_path / "cifarfs" / "cifar100" / "data",
        splits={**apart, "test": [others[0], shared, *others[1:]]}, size=32,
    )  # fmt: skip
    cache = Cache(tmp_path / "cache")
    whole = target.load(tmp_path, cache).test
    if not listed:
        target = InMemory(target.load(tmp_path, cache))
    experiment = Experiment(dataset=CifarFs(), test_dataset=target, shared_classes="drop",
                            methods=[ProtoNet()], shots=(1,), **SMALL)  # fmt: skip
    [file] = exported_episodes(experiment, root=tmp_path, cache=cache)
    assert shared not in file.class_names and len(file.class_names) == len(others)
    for classes, support in zip(file.episodes.class_ids, file.episodes.support, strict=True):
        for label, place in zip(classes.tolist(), support[:, 0].tolist(), strict=True):
            name = file.images[place]
            found = Path(str(name)).parent.name if listed else whole.class_names[
                int(whole.labels[int(name)])]  # fmt: skip
            assert found.replace("_", " ") == file.class_names[label].replace("_", " ")


def test_drawn_pictures_have_rows_only(tmp_path: Path) -> None:
    experiment = Experiment(dataset=Generated(), methods=[ProtoNet()], shots=(1,), **SMALL)
    [file] = exported_episodes(experiment, root=tmp_path, cache=Cache(tmp_path / "cache"))
    assert file.images_are == ROWS and file.images == tuple(range(len(file.images)))
