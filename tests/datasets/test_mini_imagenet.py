import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from archives import Pixels, dump, pictures, write_mini, write_parquet
from torch import Tensor

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import mini_parquet, published
from syntrans_l2l.datasets.base import SPLITS, FewShotData, Split
from syntrans_l2l.datasets.decoding import decode
from syntrans_l2l.datasets.mini_imagenet import MiniImagenet
from syntrans_l2l.episodes.tasks import semantic_tasksets

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
CLASSES = published.classes("mini_imagenet")


def by_class(split: Split) -> Tensor:
    """Images in the order of classes."""
    return split.images[split.labels.argsort(stable=True)]


def check(data: FewShotData, written: dict[str, Pixels]) -> None:
    for split in SPLITS:
        part: Split = getattr(data, split)
        assert list(part.class_keys) == CLASSES[split]
        expected = torch.from_numpy(written[split]).permute(0, 3, 1, 2)
        assert part.images.dtype == torch.uint8
        assert torch.equal(by_class(part), expected)


@pytest.mark.parametrize("python2", [False, True])
def test_images_and_names_are_those_of_the_pickles(tmp_path: Path, python2: bool) -> None:
    written = write_mini(tmp_path, 2, python2)
    data = MiniImagenet().load(tmp_path, Cache(tmp_path / "cache"))
    check(data, written)
    assert len(set(data.class_names)) == 100
    assert data.train.class_names[CLASSES["train"].index("n01532829")] == "house finch"
    assert MiniImagenet().class_counts(tmp_path)["test"] == dict.fromkeys(data.test.class_names, 2)


def test_learn2learn_reads_the_same_from_these_files(tmp_path: Path) -> None:
    from syntrans_l2l._learn2learn import learn2learn

    write_mini(tmp_path, 2)
    data = MiniImagenet().load(tmp_path, Cache(tmp_path / "cache"))
    theirs = learn2learn().vision.datasets.MiniImagenet(str(tmp_path), mode="validation")
    wnids = {label: wnid for wnid, label in theirs.class_idx.items()}
    for row in (0, 7, 31):
        image, label = theirs[row]
        assert torch.equal(image.byte(), data.validation.images[row])
        assert wnids[label] == data.validation.class_keys[data.validation.labels[row]]


def test_tasks_hold_images_from_0_to_1(tmp_path: Path) -> None:
    """learn2learn's own lee2019 takes pixels from 0 to 255 for these, and inverts colours."""
    write_mini(tmp_path, 2)
    tasksets = semantic_tasksets("mini_imagenet", train_samples=2, test_samples=2, root=tmp_path)
    task = tasksets.test.sample()
    assert task.class_ids is not None
    data = MiniImagenet().load(tmp_path, Cache(tmp_path / "syntrans_cache"))
    for image, class_id in zip(task[0], task.class_ids[task[1]].tolist(), strict=True):
        originals = data.test.images[data.test.labels == class_id] / 255.0
        assert any(torch.equal(image, original) for original in originals)


def test_a_second_load_reads_no_pickle(tmp_path: Path) -> None:
    write_mini(tmp_path, 1)
    first = MiniImagenet().load(tmp_path, Cache(tmp_path / "cache"))
    entries = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.*")}
    second = MiniImagenet().load(tmp_path, Cache(tmp_path / "cache"))
    assert entries == {path: path.stat().st_mtime_ns for path in entries}
    assert second.fingerprint == first.fingerprint
    assert torch.equal(second.test.images, first.test.images)


def test_other_pixels_have_another_fingerprint(tmp_path: Path) -> None:
    write_mini(tmp_path, 1)
    first = MiniImagenet().load(tmp_path, Cache(tmp_path / "cache")).fingerprint
    path = tmp_path / "mini-imagenet-cache-test.pkl"
    content = pickle.loads(path.read_bytes())
    content["image_data"][0, 0, 0, 0] ^= 1
    dump(path, content)
    assert MiniImagenet().load(tmp_path, Cache(tmp_path / "cache")).fingerprint != first


def test_what_is_not_miniimagenet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no miniImageNet below .*check-data.*7978538"):
        MiniImagenet().class_counts(tmp_path)
    write_mini(tmp_path, 1)
    test = tmp_path / "mini-imagenet-cache-test.pkl"
    content = pickle.loads(test.read_bytes())
    dump(test, {**content, "image_data": content["image_data"].astype(np.float32)})
    with pytest.raises(ValueError, match=r"test\.pkl: image_data must be uint8 \[n, 84, 84, 3\]"):
        MiniImagenet().load(tmp_path, Cache(tmp_path / "cache"))
    dump(test, {**content, "class_dict": {**content["class_dict"], "n01981276": [0]}})
    with pytest.raises(ValueError, match=r"test\.pkl: class_dict does not give each image one"):
        MiniImagenet().class_counts(tmp_path)
    dump(test, {**content, "class_dict": [0, 1]})
    with pytest.raises(ValueError, match=r"test\.pkl: class_dict is no dictionary of classes"):
        MiniImagenet().class_counts(tmp_path)
    test.write_bytes((tmp_path / "mini-imagenet-cache-validation.pkl").read_bytes())
    with pytest.raises(ValueError, match=r"test\.pkl does not hold the published classes"):
        MiniImagenet().class_counts(tmp_path)
    dump(test, [1])
    with pytest.raises(ValueError, match="lacks image_data and class_dict"):
        MiniImagenet().class_counts(tmp_path)


def colour_scores(pixels: Tensor, wnids: list[str]) -> Tensor:
    """What an ImageNet classifier is to photographs: the nearest of the classes' mean images."""
    means = torch.from_numpy(pictures(len(wnids), 3)).float().unflatten(0, (-1, 3)).mean((1, 2, 3))
    return -torch.cdist(pixels.float().mean((2, 3)), means)


def test_parquet_labels_get_the_names_that_their_images_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(3)
    order = {split: chance.permutation(len(CLASSES[split])).tolist() for split in SPLITS}
    write_parquet(tmp_path, 3, (84, 84), order)
    monkeypatch.setattr(mini_parquet, "imagenet_scores", colour_scores)
    data = MiniImagenet().load(tmp_path, Cache(tmp_path / "cache"))
    check(data, {split: pictures(len(CLASSES[split]), 3) for split in SPLITS})


def test_larger_parquet_images_are_resized(tmp_path: Path) -> None:
    write_parquet(tmp_path, 1, (120, 180), {split: range(len(CLASSES[split])) for split in SPLITS})
    [encoded, *_] = mini_parquet.pictures(tmp_path, "test", 84)
    image = decode(encoded, 84)
    assert image.shape == (3, 84, 84) and image.dtype == torch.uint8


def test_names_are_not_trusted_where_two_labels_look_alike() -> None:
    pixels = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match="several look like first; use learn2learn's pickles"):
        mini_parquet.wnids_of_labels(
            pixels, torch.tensor([0, 0, 1, 1]), ["first", "second"], lambda p, w: torch.eye(2)[[0]]
        )


def test_another_parquet_is_refused(tmp_path: Path) -> None:
    order = {split: range(len(CLASSES[split])) for split in SPLITS}
    write_parquet(tmp_path, 1, (84, 84), {**order, "test": range(19)})
    with pytest.raises(ValueError, match="hold 19 classes, the published split has 20"):
        MiniImagenet().class_counts(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared development data are not here")
@pytest.mark.parametrize("name", ["mini_imagenet", "tiered_imagenet"])
def test_the_split_is_the_published_one(name: str) -> None:
    file = SHARED / "splits" / f"{name.replace('_', '')}_classes.json"
    listed = json.loads(file.read_text())
    classes = published.classes(name)
    for split, short in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert classes[split] == sorted(each["wnid"] for each in listed[short])
        theirs = {each["wnid"]: each["name"].replace("_", " ") for each in listed[short]}
        ours = dict(zip(classes[split], published.wordnet_names(classes[split]), strict=True))
        assert ours == theirs
