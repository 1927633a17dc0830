"""Data that changed are never taken for the old: what decides images, labels and names is seen."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from archives import write_mini
from PIL import Image

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import contents
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.datasets.contents import content_digests
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.datasets.mini_imagenet import MiniImagenet

SPLITS = {"train": ["a", "b"], "val": ["c"], "test": ["d", "e"]}


def write_set(root: Path) -> Path:
    """Class folders a to e of three pictures each, all of another grey, and the files beside."""
    for number in range(15):
        path = root / "abcde"[number // 3] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (16, 16), 10 * number).save(path)
    (root / "splits.json").write_text(json.dumps(SPLITS), encoding="utf-8")
    (root / "class_names.json").write_text('{"a": "ant"}', encoding="utf-8")
    return root


def load(root: Path) -> FewShotData:
    return ImageFolderBenchmark(root=root, size=16).load(root, Cache(root.parent / "cache"))


def move_picture(root: Path) -> None:
    (root / "a" / "02.png").rename(root / "b" / "02.png")


def replace_by_one_of_the_same_size_and_age(root: Path) -> None:
    path = root / "d" / "10.png"
    state = path.stat()
    changed = bytearray(path.read_bytes())
    Image.new("L", (16, 16), 101).save(path)
    assert path.stat().st_size == len(changed)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_mtime_ns == state.st_mtime_ns


def swap_two_pictures(root: Path) -> None:
    one, other = root / "a" / "00.png", root / "a" / "01.png"
    one.rename(root / "kept")
    other.rename(one)
    (root / "kept").rename(other)


def edit_splits(root: Path) -> None:
    moved = {**SPLITS, "train": ["a", "e"], "test": ["d", "b"]}
    (root / "splits.json").write_text(json.dumps(moved), encoding="utf-8")


def edit_order(root: Path) -> None:
    (root / "splits.json").write_text(json.dumps({**SPLITS, "test": ["e", "d"]}), encoding="utf-8")


def edit_names(root: Path) -> None:
    (root / "class_names.json").write_text('{"a": "bee"}', encoding="utf-8")


def rename_folder(root: Path) -> None:
    (root / "e").rename(root / "f")
    (root / "splits.json").write_text(json.dumps({**SPLITS, "test": ["d", "f"]}), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        move_picture, replace_by_one_of_the_same_size_and_age, swap_two_pictures, edit_splits,
        edit_order, edit_names, rename_folder,
    ],
)  # fmt: skip
def test_every_change_is_seen(
    tmp_path: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the digests of contents are remembered at once."""
    monkeypatch.setattr(contents, "_SETTLED", -1)
    root = write_set(tmp_path / "set")
    before = load(root)
    assert load(root).fingerprint == before.fingerprint
    change(root)
    after = load(root)
    fresh = ImageFolderBenchmark(root=root, size=16).load(root, Cache(tmp_path / "another cache"))
    assert after.fingerprint == fresh.fingerprint != before.fingerprint
    assert after.class_names == fresh.class_names
    for split in ("train", "validation", "test"):
        assert torch.equal(getattr(after, split).images, getattr(fresh, split).images)
        assert torch.equal(getattr(after, split).labels, getattr(fresh, split).labels)


def test_a_copy_elsewhere_is_the_same_data(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    shutil.copytree(root, tmp_path / "there" / "set")
    assert load(root).fingerprint == load(tmp_path / "there" / "set").fingerprint


def test_digests_are_remembered_and_not_trusted_blindly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are read once; those of this moment may yet change within a tick, and are not kept."""
    files = sorted(write_set(tmp_path / "set").glob("*/*.png"))
    cache, sha = Cache(tmp_path / "cache"), contents._sha256
    read: list[Path] = []

    def counted(file: Path) -> str:
        read.append(file)
        return sha(file)

    monkeypatch.setattr(contents, "_sha256", counted)
    first = content_digests(files, cache)
    assert content_digests(files, cache) == first and read == 2 * files
    monkeypatch.setattr(contents, "_SETTLED", -1)
    content_digests(files, cache)
    read.clear()
    assert content_digests(files, cache) == first and not read
    [memory] = (tmp_path / "cache" / "contents").iterdir()
    memory.write_text("{broken")
    assert content_digests(files, cache) == first and read == files


def test_all_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number:02d}.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"12 files cannot be read: .*00\.png .*09\.png .*2 more"):
        content_digests(sorted(tmp_path.glob("*.png")), Cache(tmp_path / "cache"))


def test_a_pickle_replaced_by_one_of_the_same_age_is_read_anew(tmp_path: Path) -> None:
    write_mini(tmp_path, images=1)
    path = tmp_path / "mini-imagenet-cache-test.pkl"
    before = MiniImagenet().class_counts(tmp_path)["test"]
    state = path.stat()
    write_mini(tmp_path, images=2)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    after = MiniImagenet().class_counts(tmp_path)["test"]
    assert set(before.values()) == {1} and set(after.values()) == {2}


def test_pixels_of_old_code_are_decoded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_set(tmp_path / "set")
    first = load(root)
    monkeypatch.setattr("syntrans_l2l.datasets.images.code_digest", lambda *modules: "changed")
    monkeypatch.setattr(
        "syntrans_l2l.datasets.images.decode",
        lambda *_, **__: torch.full((3, 16, 16), 7, dtype=torch.uint8),
    )
    assert (np.asarray(load(root).test.images) == 7).all()
    assert load(root).fingerprint != first.fingerprint
