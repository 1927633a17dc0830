"""What lies in class folders: broken, foreign and hidden files, and readings that were cut off."""

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from archives import write_cub, write_parquet
from PIL import Image

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import images
from syntrans_l2l.datasets.cub import Cub
from syntrans_l2l.datasets.decoding import decode
from syntrans_l2l.datasets.folders import class_folders, image_files
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.datasets.mini_imagenet import MiniImagenet
from syntrans_l2l.datasets.published import classes
from syntrans_l2l.progress import Advance, silent

SPLITS = {"train": ["a"], "val": ["b"], "test": ["c"]}


def write_set(root: Path, images: int) -> ImageFolderBenchmark:
    chance = np.random.default_rng(0)
    for name in "abc":
        (root / name).mkdir(parents=True)
        for number in range(images):
            pixels = chance.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number:02d}.png")
    return ImageFolderBenchmark(root=root, splits=SPLITS, size=16)


def test_what_systems_leave_behind_is_no_picture(tmp_path: Path) -> None:
    folder = tmp_path / "heron"
    folder.mkdir()
    for name in (".DS_Store", "._1.jpg", "Thumbs.db", "desktop.ini", "Icon\r", "~$1.png", "1.txt",
                 ".nfs01.png", ".1.png.swp"):  # fmt: skip
        (folder / name).write_bytes(b"left")
    for name in (".ipynb_checkpoints", "@eaDir", "__MACOSX", "more.png"):
        (folder / name).mkdir()
        (folder / name / "1.jpg").write_bytes(b"left")
    for name in ("1.JPG", "2.Png", "3.jpeg", "4.TIF"):
        (folder / name).write_bytes(b"picture")
    assert [path.name for path in image_files(folder)] == ["1.JPG", "2.Png", "3.jpeg", "4.TIF"]
    for name in ("$RECYCLE.BIN", "System Volume Information", "lost+found", ".git", "@eaDir"):
        (tmp_path / name).mkdir()
    assert class_folders(tmp_path) == [folder]


def test_all_broken_pictures_are_named_at_once(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", 6)
    broken = {"a": ["00", "03", "04"], "b": ["01", "02"], "c": ["00", "01", "02", "03", "04", "05"]}
    for folder, names in broken.items():
        for name in names:
            path = tmp_path / "set" / folder / f"{name}.png"
            path.write_bytes(path.read_bytes()[:100] if folder == "a" else b"<html>")
    with pytest.raises(ValueError, match="11 broken pictures: ") as error:
        data.load(tmp_path, Cache(tmp_path / "cache"))
    named = [f"{folder}/{name}.png" for folder, names in broken.items() for name in names]
    assert [name for name in named if name in str(error.value)] == named[:10]
    assert "and 1 more" in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValueError, match="11 broken pictures: "):
        data.check_images(tmp_path)
    assert not list((tmp_path / "cache").rglob("*.filling"))


def test_check_images_opens_every_picture(tmp_path: Path) -> None:
    write_cub(tmp_path / "CUB_200_2011", 1)
    opened = []

    def progress(
        stage: str, *, total: int, unit: str, done: int = 0
    ) -> AbstractContextManager[Advance]:
        opened.append(total)
        return silent(stage, total=total, unit=unit, done=done)

    Cub().check_images(tmp_path, progress)
    assert opened == [200]
    path = sorted((tmp_path / "CUB_200_2011" / "images").rglob("*.jpg"))[-1]
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=f"1 broken pictures: .*{path.name}: not an image"):
        Cub().check_images(tmp_path)


def test_broken_pictures_in_other_files_are_named_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = {split: range(len(each)) for split, each in classes("mini_imagenet").items()}
    write_parquet(tmp_path, 1, (84, 84), order)
    rows = iter(range(100))

    def decode_all_but_one(picture: bytes, size: int, *, where: str) -> torch.Tensor:
        return decode(b"" if next(rows) == 70 else picture, size, where=where)

    monkeypatch.setattr(images, "decode", decode_all_but_one)
    with pytest.raises(ValueError, match="broken pictures: mini_imagenet, validation image 6: not"):
        MiniImagenet().check_images(tmp_path)


@pytest.mark.parametrize("death", ["KeyboardInterrupt()", "os.kill(os.getpid(), 9)"])
def test_reading_goes_on_where_it_was(
    tmp_path: Path, death: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_set(tmp_path / "set", 10)
    script = f"""
import os
from pathlib import Path
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import images
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark

images._BETWEEN_MARKS = 4
decode, seen = images.decode, []
def decode_some(*source, **where):
    seen.append(source)
    if len(seen) == 15:
        raise {death}
    return decode(*source, **where)
images.decode = decode_some
root = Path({str(tmp_path)!r})
ImageFolderBenchmark(root="set", splits={SPLITS!r}, size=16).load(root, Cache(root / "cache"))
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode != 0
    seen: list[Path] = []

    def decode_and_tell(path: Path, size: int, *, where: str) -> torch.Tensor:
        seen.append(path)
        return decode(path, size)

    monkeypatch.setattr(images, "decode", decode_and_tell)
    resumed = data.load(tmp_path, Cache(tmp_path / "cache"))
    assert [path.name for path in seen] == [f"{n % 10:02d}.png" for n in range(12, 30)]
    whole = data.load(tmp_path, Cache(tmp_path / "another"))
    assert resumed.fingerprint == whole.fingerprint
    assert torch.equal(resumed.train.images, whole.train.images)
    assert torch.equal(resumed.test.images, whole.test.images)
    assert not list((tmp_path / "cache").rglob("*.filling"))
