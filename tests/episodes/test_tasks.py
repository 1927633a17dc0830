import copy
import functools
import importlib
import pickle
import random
from collections import Counter
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.precision.utils import _convert_fp_tensor
from lightning_utilities import apply_to_collection
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data._utils.pin_memory import pin_memory

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.episodes.tasks import SemanticTaskset, Task, semantic_tasksets

l2l = learn2learn()
EpisodicBatcher = importlib.import_module("learn2learn.utils.lightning").EpisodicBatcher


def test_class_ids_recover_the_labels_of_the_data_set(data: FewShotData) -> None:
    taskset = SemanticTaskset(data.test, ways=4, samples=3)
    random.seed(0)
    orders = set()
    for _ in range(20):
        task = taskset.sample()
        images, labels = task
        assert labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
        pixels = [tuple(image.flatten().tolist()) for image in data.test.images]
        originals = dict(zip(pixels, data.test.labels.tolist(), strict=True))
        for image, original in zip(images, task.class_ids[labels].tolist(), strict=True):
            drawn = (image * 255).round().to(torch.uint8)
            assert originals[tuple(drawn.flatten().tolist())] == original
        orders.add(tuple(task.class_ids.tolist()) != tuple(sorted(task.class_ids.tolist())))
    assert orders == {True, False}  # classes come in any order


def test_images_lie_between_zero_and_one(data: FewShotData) -> None:
    images, _ = SemanticTaskset(data.test, ways=2, samples=2).sample()
    assert images.min() >= 0 and 0.9 < images.max() <= 1


def a_task() -> Task:
    return Task(torch.rand(4, 3), torch.tensor([0, 0, 1, 1]), torch.tensor([8, 1_000_003]))


def test_task_unpacks_as_data_and_labels() -> None:
    task = a_task()
    data, labels = task
    assert len(task) == 2 and data is task[0] is task.data and labels is task[1] is task.labels


def test_task_survives_moving_copying_and_pickling() -> None:
    task = a_task()
    for other in (task.to("cpu"), copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert isinstance(other, Task) and torch.equal(other.data, task.data)
        assert other.class_ids.tolist() == [8, 1_000_003]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_labels_and_class_ids_stay_integers(dtype: torch.dtype) -> None:
    """bfloat16 cannot tell 1,000,003 from its neighbours."""
    plugin = functools.partial(
        apply_to_collection, function=_convert_fp_tensor, dtype=torch.Tensor, dst_type=dtype
    )
    for moved in (a_task().to(dtype), a_task().to("cpu", dtype), plugin(a_task())):
        assert isinstance(moved, Task) and moved.data.dtype == dtype
        assert moved.labels.dtype == moved.class_ids.dtype == torch.int64
        assert moved.class_ids.tolist() == [8, 1_000_003]


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_keeps_class_ids(
    data: FewShotData, batch_size: int | None, workers: int
) -> None:
    taskset = SemanticTaskset(data.test, 3, 2, num_tasks=4)
    loader: DataLoader[Any] = DataLoader(taskset, batch_size=batch_size, num_workers=workers)
    tasks = list(loader)
    assert len(tasks) == 4
    for task in tasks:
        assert isinstance(task, Task) and len(task.class_ids.unique()) == 3
        assert task.data.shape == (6, 3, 32, 32)


def test_a_data_loader_gives_several_tasks_as_a_list(data: FewShotData) -> None:
    [tasks] = DataLoader(SemanticTaskset(data.test, 3, 2, num_tasks=4), batch_size=4)
    assert len(tasks) == 4 and all(isinstance(task, Task) for task in tasks)


def test_pinned_memory_keeps_class_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    # without a GPU nothing can be pinned: torch's own walk is what is asked here
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self.clone())
    pinned = pin_memory(a_task())
    assert isinstance(pinned, Task) and pinned.class_ids.tolist() == [8, 1_000_003]


def test_the_shape_of_get_tasksets(data: FewShotData) -> None:
    train, validation, test = semantic_tasksets(data, train_ways=3, test_samples=4)
    assert train.sample()[0].shape == (30, 3, 32, 32)
    assert validation.sample()[0].shape == test.sample()[0].shape == (20, 3, 32, 32)
    assert test.class_names == data.test.class_names
    assert len(semantic_tasksets(data, num_tasks=7).test) == 7
    with pytest.raises(ValueError, match="known: cifar_fs, fc100"):
        semantic_tasksets("cifar")


def test_learn2learns_unmodified_lightning_module_trains_on_it(data: FewShotData) -> None:
    sizes = {f"{split}_{what}": n for split in ("train", "test")
             for what, n in (("ways", 5), ("shots", 1), ("queries", 2))}  # fmt: skip
    tasksets = semantic_tasksets(data, train_samples=3, test_samples=3)
    module = l2l.algorithms.LightningPrototypicalNetworks(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8)), **sizes
    )
    seen = []
    original = module.meta_learn

    def meta_learn(batch: Task, *args: object) -> object:
        seen.append(batch.class_ids)
        return original(batch, *args)

    module.meta_learn = meta_learn
    batches = EpisodicBatcher(*tasksets, epoch_length=3)
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    before = module.features[1].weight.detach().clone()
    trainer.fit(module, batches)
    assert not torch.equal(before, module.features[1].weight)
    assert seen and all(len(ids) == 5 for ids in seen)


def test_tasks_of_varying_ways_and_shots(data: FewShotData) -> None:
    taskset = SemanticTaskset(data.test, ways=(2, 5), samples=(3, 6))
    random.seed(0)
    sizes = Counter[tuple[int, int]]()
    for _ in range(200):
        task = taskset.sample()
        ways = len(task.class_ids)
        samples = len(task.labels) // ways
        assert task.labels.bincount().tolist() == [samples] * ways
        sizes[ways, samples] += 1
    assert set(sizes) == {(ways, samples) for ways in range(2, 6) for samples in range(3, 7)}
    random.seed(0)
    again = [taskset.sample() for _ in range(3)]
    random.seed(0)
    for task in again:
        assert torch.equal(task.data, taskset.sample().data)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"ways": (5, 2)}, r"^ways must be 1 or more, or a pair such as \(1, 10\), got \(5, 2\)$"),
        ({"samples": 0}, "^samples must be 1 or more"),
        ({"ways": (2, 1000)}, "1000 ways asked for"),
    ],
)
def test_sizes_of_tasks_that_cannot_be(
    data: FewShotData, sizes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SemanticTaskset(data.test, **{"ways": 2, "samples": 2, **sizes})
