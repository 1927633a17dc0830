"""class_names against learn2learn's own data sets, in their true file formats."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from archives import write_cub, write_fc100, write_mini, write_tiered
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

import syntrans_l2l as sl
from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.datasets import fc100, published
from syntrans_l2l.datasets.base import FewShotData

l2l = learn2learn()
datasets = l2l.vision.datasets


def checked(dataset: Dataset[Any], names: list[str]) -> None:
    """The same through MetaDataset and Taskset."""
    meta = l2l.data.MetaDataset(dataset)
    for each in (dataset, meta, l2l.data.Taskset(meta, num_tasks=1)):
        assert sl.class_names(each) == tuple(names)


def test_mini_imagenet(tmp_path: Path) -> None:
    write_mini(tmp_path, 2)
    wnids = published.classes("mini_imagenet")["test"]
    dataset = datasets.MiniImagenet(str(tmp_path), mode="test")
    checked(dataset, wnids[::-1])  # as the file has them
    rows = dataset.data["class_dict"]
    for wnid in (wnids[0], wnids[7]):
        label = int(dataset.y[rows[wnid][0]])
        assert sl.class_names(dataset)[label] == wnid


def test_tiered_imagenet(tmp_path: Path) -> None:
    write_tiered(tmp_path, 1)
    names = published.wordnet_names(published.classes("tiered_imagenet")["validation"])
    checked(datasets.TieredImagenet(str(tmp_path), mode="validation"), list(names)[::-1])


def test_fc100(tmp_path: Path) -> None:
    write_fc100(tmp_path, fc100.CLASSES, 2)
    dataset = datasets.FC100(str(tmp_path), mode="test")
    checked(dataset, sorted(name for names in fc100.CLASSES.values() for name in names))
    named = {sl.class_names(dataset)[label] for label in dataset.labels}
    assert named == set(fc100.CLASSES["test"])
    dataset.labels = [0, 1, 2]  # counted anew within the split: they name nothing
    with pytest.raises(ValueError, match="no class names in FC100"):
        sl.class_names(dataset)


@pytest.mark.parametrize("mode", ["test", "all"])
def test_cub(tmp_path: Path, mode: str) -> None:
    write_cub(tmp_path / "cubirds200" / "CUB_200_2011", 2)
    splits = importlib.import_module("learn2learn.vision.datasets.cu_birds200").SPLITS
    names = [name for each in splits for name in splits[each] if mode in (each, "all")]
    dataset = datasets.CUBirds200(str(tmp_path), mode=mode, include_imagenet_duplicates=True)
    checked(dataset, names)
    path, label = dataset.data[7]
    assert Path(path).parent.name == sl.class_names(dataset)[label]


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def test_textures_whose_mode_only_a_file_name_tells(tmp_path: Path) -> None:
    module = importlib.import_module("learn2learn.vision.datasets.describable_textures")
    names = module.SPLITS["validation"]
    for name in names:
        picture(tmp_path / module.DATA_DIR / "dtd" / "images" / name / "1.png")
    checked(datasets.DescribableTextures(str(tmp_path), mode="validation"), names)


def test_cifar_fs_and_image_folders(tmp_path: Path) -> None:
    for name in ("maple_tree", "bed"):
        picture(tmp_path / "cifarfs" / "processed" / "train" / name / "1.png")
    checked(datasets.CIFARFS(str(tmp_path), mode="train"), ["bed", "maple_tree"])


def test_our_tasksets(data: FewShotData) -> None:
    taskset = sl.semantic_tasksets(data).test
    task = taskset.sample()
    assert sl.class_names(taskset) == data.test.class_names
    assert all(0 <= label < len(sl.class_names(taskset)) for label in task.class_ids.tolist())


def named(labels: list[int], names: list[str]) -> Any:
    dataset: Any = TensorDataset(torch.zeros(len(labels), 2), torch.tensor(labels))
    dataset.classes = names
    return l2l.data.MetaDataset(dataset)


def test_filtered_and_united_labels() -> None:
    first, second = named([1, 1, 2], ["a", "b", "c"]), named([1, 0], ["d", "e"])
    assert sl.class_names(l2l.data.FilteredMetaDataset(first, [2])) == ("a", "b", "c")
    union = l2l.data.UnionMetaDataset([first, second])
    of_each = [sl.class_names(union)[union[index][1]] for index in range(5)]
    assert of_each == ["b", "b", "c", "e", "d"]


def test_names_that_are_nowhere() -> None:
    bare = l2l.data.MetaDataset(TensorDataset(torch.zeros(2, 2), torch.tensor([0, 1])))
    with pytest.raises(ValueError, match=r"no class names in MetaDataset.*a\s+list \.classes"):
        sl.class_names(bare)
