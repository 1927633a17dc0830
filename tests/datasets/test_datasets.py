import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from archives import dump, write_fc100
from common import SPLITS, MakeArchive
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import benchmark
from syntrans_l2l.datasets.base import Split
from syntrans_l2l.datasets.cifar_fs import CifarFs
from syntrans_l2l.datasets.fc100 import CLASSES, Fc100

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_images_and_names_are_those_of_the_archive(
    make_archive: MakeArchive, tmp_path: Path
) -> None:
    root = make_archive(images=3)
    data = CifarFs().load(root, Cache(tmp_path / "cache"))
    for split, names in zip((data.train, data.validation, data.test), SPLITS.values(), strict=True):
        assert list(split.class_names) == names
        assert split.class_counts().tolist() == [3] * len(names)
    row = int(torch.where(data.test.labels == 2)[0][1])
    [_, path, _] = sorted((root / "cifarfs/cifar100/data" / SPLITS["test"][2]).iterdir())
    assert torch.equal(data.test.images[row], pil_to_tensor(Image.open(path)))


def test_images_labels_and_names_are_those_of_learn2learns_reader(
    make_archive: MakeArchive, tmp_path: Path
) -> None:
    """In its order; learn2learn copies the archive first, and we do not."""
    root = make_archive(images=3)
    data = CifarFs().load(root, Cache(tmp_path / "cache"))
    assert not (root / "cifarfs" / "processed").exists()
    for split in ("train", "validation", "test"):
        theirs = learn2learn().vision.datasets.CIFARFS(root=str(root), mode=split)
        ours: Split = getattr(data, split)
        assert list(ours.class_names) == theirs.classes
        assert ours.labels.tolist() == [label for _, label in theirs.samples]
        assert torch.equal(ours.images, torch.stack([pil_to_tensor(image) for image, _ in theirs]))


def test_loaded_twice_decoded_once(make_archive: MakeArchive, tmp_path: Path) -> None:
    root, cache = make_archive(images=2), Cache(tmp_path / "cache")
    first = CifarFs().load(root, cache)
    [entry] = (tmp_path / "cache" / "images").iterdir()
    written = entry.stat().st_mtime_ns
    second = CifarFs().load(root, cache)
    assert entry.stat().st_mtime_ns == written
    assert torch.equal(first.test.images, second.test.images)
    assert first.fingerprint == second.fingerprint


def test_other_images_have_another_fingerprint(make_archive: MakeArchive, tmp_path: Path) -> None:
    root = make_archive(images=2)
    first = CifarFs().load(root, Cache(tmp_path / "cache")).fingerprint
    folder = root / "cifarfs/cifar100/data" / SPLITS["test"][0]
    shutil.copy(next(folder.iterdir()), folder / "new.png")
    second = CifarFs().load(root, Cache(tmp_path / "cache"))
    assert second.fingerprint != first
    assert second.test.class_counts().tolist()[0] == 3


def test_missing_and_half_unpacked_archives(make_archive: MakeArchive, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no CIFAR-FS archive at"):
        CifarFs().class_counts(tmp_path)
    root = make_archive(images=1)
    shutil.rmtree(root / "cifarfs/cifar100/data" / SPLITS["val"][0])
    with pytest.raises(
        FileNotFoundError, match=f"half-unpacked: 1 class folders .*{SPLITS['val'][0]}"
    ):
        CifarFs().class_counts(root)
    (root / "cifarfs/cifar100/splits/bertinetto/test.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks .*test\.txt"):
        CifarFs().class_counts(root)


def test_fc100_divides_the_same_classes_anew(make_archive: MakeArchive, tmp_path: Path) -> None:
    everything = sorted(name for names in CLASSES.values() for name in names)
    assert len(set(everything)) == 100
    assert [len(names) for names in CLASSES.values()] == [60, 20, 20]
    root = make_archive(
        {"train": everything[:64], "val": everything[64:80], "test": everything[80:]}, images=1
    )
    data = Fc100().load(root, Cache(tmp_path / "cache"))
    assert data.test.class_names == tuple(CLASSES["test"])
    [path] = (root / "cifarfs/cifar100/data/whale").iterdir()
    row = data.test.class_names.index("whale")
    assert torch.equal(data.test.images[row], pil_to_tensor(Image.open(path)))
    assert data.fingerprint != CifarFs().load(root, Cache(tmp_path / "cache")).fingerprint


def test_fc100_needs_all_of_cifar100(make_archive: MakeArchive) -> None:
    with pytest.raises(FileNotFoundError, match="needs all 100 classes of CIFAR-100"):
        Fc100().class_counts(make_archive(images=1))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared development data are not here")
def test_fc100_is_the_published_split() -> None:
    published = json.loads((SHARED / "splits" / "fc100_classes.json").read_text())
    assert {"train": published["train"], "validation": published["val"],
            "test": published["test"]} == CLASSES  # fmt: skip


def test_names_of_data_sets() -> None:
    assert isinstance(benchmark("fc100"), Fc100)
    with pytest.raises(ValueError, match="known: cifar_fs, fc100"):
        benchmark("cifar-fs")


def test_fc100_from_learn2learns_pickles(tmp_path: Path) -> None:
    write_fc100(tmp_path, CLASSES, images=2)
    data = Fc100().load(tmp_path, Cache(tmp_path / "cache"))
    fine = sorted(name for names in CLASSES.values() for name in names)
    for split, names in CLASSES.items():
        part: Split = getattr(data, split)
        assert list(part.class_names) == names
        shown = part.images[:, 0, 0, 0].tolist()  # each image shows its number
        named = [part.class_names[label] for label in part.labels.tolist()]
        assert named == [fine[number] for number in shown]
    assert Fc100().class_counts(tmp_path)["test"] == dict.fromkeys(CLASSES["test"], 2)


def test_fc100s_numbers_are_trusted_only_as_the_published_classes(tmp_path: Path) -> None:
    write_fc100(tmp_path, CLASSES, images=1)
    test = tmp_path / "FC100_test.pickle"
    pixels = np.zeros((20, 32, 32, 3), np.uint8)
    dump(test, {"data": pixels, "labels": list(range(20))}, python2=True)
    with pytest.raises(
        ValueError, match="labels are not numbers of CIFAR-100's fine classes but 0"
    ):
        Fc100().class_counts(tmp_path)
    dump(test, {"data": pixels, "labels": list(range(1, 21))})
    with pytest.raises(ValueError, match="does not hold the published classes of the test split"):
        Fc100().class_counts(tmp_path)
    for form in (pixels / 255, pixels[:0]):
        dump(test, {"data": form, "labels": list(range(1, 1 + len(form)))})
        with pytest.raises(ValueError, match=r"data must be uint8 \[n, 32, 32, 3\] with n labels"):
            Fc100().class_counts(tmp_path)
