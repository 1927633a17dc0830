"""Data sets that are folders of pictures: CUB, and any other."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from archives import pictures, write_cub
from PIL import Image

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import published
from syntrans_l2l.datasets.cub import Cub
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize("place", ["cubirds200/CUB_200_2011", "CUB_200_2011"])
def test_cub_divides_its_folders(tmp_path: Path, place: str) -> None:
    write_cub(tmp_path / place, 2)
    data = Cub().load(tmp_path, Cache(tmp_path / "cache"))
    sizes = [len(split.class_names) for split in (data.train, data.validation, data.test)]
    assert sizes == [100, 50, 50]
    assert data.test.images.shape == (100, 3, 84, 84)
    numbers = published.classes("cub")["test"]
    folders = [next((tmp_path / place / "images").glob(f"{number}.*")) for number in numbers]
    assert data.test.class_keys == tuple(folder.name[4:] for folder in folders)
    assert "Red_winged_Blackbird" in data.test.class_names
    mean = pictures(200, 2, (96, 120)).reshape(200, -1, 3).mean(1)[int(numbers[0]) - 1]
    np.testing.assert_allclose(data.test.images[:2].float().mean((0, 2, 3)), mean, atol=12)
    assert Cub().class_counts(tmp_path)["test"] == dict.fromkeys(data.test.class_names, 2)


def test_missing_and_half_unpacked_birds(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no CUB at .*8000562.*cubirds200"):
        Cub().class_counts(tmp_path)
    archive = tmp_path / "CUB_200_2011"
    write_cub(archive, 1)
    next((archive / "images" / "003.Sooty_Albatross").iterdir()).unlink()
    with pytest.raises(FileNotFoundError, match=r"half-unpacked.*1 missing \(003\.Sooty"):
        Cub().class_counts(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared development data are not here")
def test_cubs_split_is_the_published_one() -> None:
    listed = json.loads((SHARED / "splits" / "cub_classes.json").read_text())["FEAT_csv"]
    for split, short in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert published.classes("cub")[split] == sorted(name[:3] for name in listed[short])


def write_folders(root: Path) -> dict[str, list[str]]:
    splits = {"train": ["a", "b"], "val": ["c"], "test": ["d", "e"]}
    for name, pixels in zip(
        "abcde", pictures(5, 2, (48, 96)).reshape(5, 2, 48, 96, 3), strict=True
    ):
        (root / name).mkdir(parents=True)
        for number, picture in enumerate(pixels):
            Image.fromarray(picture).save(root / name / f"{number}.png")
        (root / name / "notes.txt").write_text("no picture")
    return splits


def test_any_folder_of_class_folders(tmp_path: Path) -> None:
    splits = write_folders(tmp_path / "pets")
    benchmark = ImageFolderBenchmark(root="pets", splits=splits, size=48)
    data = benchmark.load(tmp_path, Cache(tmp_path / "cache"))
    assert data.name == "pets" and data.test.class_names == ("d", "e")
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    with Image.open(tmp_path / "pets" / "d" / "1.png") as image:
        centre = np.array(image)[:, 24:72]  # the shorter side fits; the sides are cut
    assert torch.equal(data.test.images[1], torch.from_numpy(centre).permute(2, 0, 1))
    (tmp_path / "pets" / "splits.json").write_text(json.dumps(splits))
    from_file = ImageFolderBenchmark(root=tmp_path / "pets", splits="splits.json", size=48)
    again = from_file.load(tmp_path, Cache(tmp_path / "cache"))
    assert again.fingerprint == data.fingerprint
    assert from_file.class_counts(tmp_path)["train"] == {"a": 2, "b": 2}


def test_folders_and_splits_that_do_not_fit(tmp_path: Path) -> None:
    splits = write_folders(tmp_path)

    def counts(splits: dict[str, list[str]] | str) -> object:
        return ImageFolderBenchmark(root=tmp_path, splits=splits).class_counts(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"no file of splits at .*none\.json"):
        counts("none.json")
    with pytest.raises(ValueError, match="must name train, val and test, got"):
        counts({"train": ["a"], "test": ["d"]})
    with pytest.raises(ValueError, match="names a twice"):
        counts({**splits, "val": ["a"]})
    with pytest.raises(FileNotFoundError, match="1 class folders are missing: zebra, below"):
        counts({**splits, "val": ["zebra"]})
    (tmp_path / "a" / "0.png").write_text("<html>")
    with pytest.raises(ValueError, match="not an image"):
        ImageFolderBenchmark(root=tmp_path, splits=splits).load(tmp_path, Cache(tmp_path / "cache"))
