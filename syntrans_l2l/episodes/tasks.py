"""Tasks that know their classes: what learn2learn's RemapLabels throws away."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate
from torch.utils.data._utils.collate import default_collate_fn_map

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import benchmark
from syntrans_l2l.datasets.base import FewShotData, Split
from syntrans_l2l.places import Places

l2l = learn2learn()

if TYPE_CHECKING:
    _TaskTransform: Any = object
    _Taskset: Any = object
else:
    _TaskTransform = l2l.data.transforms.TaskTransform
    _Taskset = l2l.data.Taskset


@dataclass(eq=False)
class Task:
    """A task that unpacks as `data, labels` and carries `.class_ids`.

    `class_ids[labels]` are the labels of the data set, so that semantics find their classes.
    It is a dataclass because Lightning and `DataLoader` rebuild tuples and keep dataclasses: the
    class ids survive true-precision plugins, workers and pinned memory.

    Shapes: data [N * (K + Q), ...], labels [N * (K + Q)] int64, class_ids [N] int64.
    """

    data: Tensor
    labels: Tensor
    class_ids: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        yield from (self.data, self.labels)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int) -> Tensor:
        return (self.data, self.labels)[place]

    def to(self, *args: Any, **kwargs: Any) -> "Task":
        """Move all tensors; of a new dtype, the data only: labels and class ids stay integers."""
        data = self.data.to(*args, **kwargs)
        return Task(data, self.labels.to(data.device), self.class_ids.to(data.device))

    def pin_memory(self) -> "Task":
        """All tensors in pinned memory; `DataLoader` calls this."""
        return Task(*(part.pin_memory() for part in (self.data, self.labels, self.class_ids)))


class _Relabel:
    """Replace a sample's label, keeping the original beside it."""

    def __init__(self, label: int, class_id: int) -> None:
        self.label = label
        self.class_id = class_id

    def __call__(self, sample: tuple[Any, Any]) -> tuple[Any, int, int]:
        return sample[0], self.label, self.class_id


class SemanticLabels(_TaskTransform):  # type: ignore[misc]
    """Task transform in the place of RemapLabels and ConsecutiveLabels, after LoadData.

    It labels the classes of a task 0 to N - 1 in random order, sorts the samples by label,
    and remembers which class is which; `collate` then makes the Task.

    Args:
        dataset: the MetaDataset that the task is drawn from.
        shuffle: draw the order of classes from Python's `random`, as learn2learn does;
            otherwise they keep the order of the data set.
    """

    def __init__(self, dataset: Any, shuffle: bool = True) -> None:
        super().__init__(dataset)
        self.shuffle = shuffle

    def __call__(self, task_description: list[Any] | None) -> list[Any]:
        if task_description is None:
            task_description = self.new_task()
        labels = self.dataset.indices_to_labels
        class_ids = sorted({labels[sample.index] for sample in task_description})
        if self.shuffle:
            random.shuffle(class_ids)
        new_label = {class_id: label for label, class_id in enumerate(class_ids)}
        for sample in task_description:
            class_id = labels[sample.index]
            sample.transforms.append(_Relabel(new_label[class_id], int(class_id)))
        return sorted(task_description, key=lambda sample: new_label[labels[sample.index]])


def collate(samples: Sequence[tuple[Any, int, int]]) -> Task:
    """The `task_collate` that belongs to SemanticLabels."""
    data = default_collate([sample[0] for sample in samples])
    labels = torch.tensor([sample[1] for sample in samples])
    class_ids = torch.empty(int(labels.max()) + 1, dtype=torch.int64)
    class_ids[labels] = torch.tensor([sample[2] for sample in samples])
    return Task(data, labels, class_ids)


def _batch(tasks: Sequence[Task], **_: object) -> Task | list[Task]:
    """What a `DataLoader` makes of tasks: of one the task itself, of several their list."""
    return tasks[0] if len(tasks) == 1 else list(tasks)


default_collate_fn_map[Task] = _batch  # torch's documented door for types of one's own


Sizes = int | tuple[int, int]  # always the same, or the least and the most of what is drawn


class VaryingNWaysKShots(_TaskTransform):  # type: ignore[misc]
    """Task transform in the place of FusedNWaysKShots: every task draws its own N and K.

    Both are uniform, from Python's `random`, and classes of one task have the same K.

    Args:
        dataset: the MetaDataset that the tasks are drawn from.
        ways: the least and the most of N.
        samples: the least and the most of K.
    """

    def __init__(self, dataset: Any, ways: tuple[int, int], samples: tuple[int, int]) -> None:
        super().__init__(dataset)
        self.ways = ways
        self.samples = samples
        self._fused = l2l.data.transforms.FusedNWaysKShots(dataset, n=ways[1], k=samples[1])

    def __call__(self, task_description: list[Any] | None) -> Any:
        self._fused.n = random.randint(*self.ways)
        self._fused.k = random.randint(*self.samples)
        return self._fused(task_description)


def _bounds(name: str, sizes: Sizes, least: int) -> tuple[int, int]:
    """The least and the most; raises ValueError where they are none."""
    low, high = (sizes, sizes) if isinstance(sizes, int) else sizes
    if not least <= low <= high:
        raise ValueError(
            f"{name} must be {least} or more, or a pair such as ({least}, 10), got {sizes!r}"
        )
    return low, high


class SplitDataset(Dataset[tuple[Tensor, int]]):
    """A split as a data set of images in [0, 1], [3, H, W], and labels."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self.labels = split.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.split.images[index].float() / 255.0, self.labels[index]


class SemanticTaskset(_Taskset):  # type: ignore[misc]
    """A learn2learn Taskset of Tasks; `class_names[class_id]` names a class.

    Args:
        split: the classes and their images.
        ways: N; a pair (least, most) draws it for each task, whose class ids tell it.
        samples: K + Q of each class; a pair draws it too.
        num_tasks: distinct tasks; -1 draws a new one each time.

    Raises:
        ValueError: the classes cannot fill such tasks.
    """

    def __init__(self, split: Split, ways: Sizes, samples: Sizes, num_tasks: int = -1) -> None:
        few, many = _bounds("ways", ways, 1), _bounds("samples", samples, 1)
        split.check_episodes(ways=few[1], shots=many[1], queries=0)
        dataset = SplitDataset(split)
        labels = dict(enumerate(dataset.labels))
        meta = l2l.data.MetaDataset(dataset, indices_to_labels=labels)
        if isinstance(ways, int) and isinstance(samples, int):
            drawn = l2l.data.transforms.FusedNWaysKShots(meta, n=ways, k=samples)
        else:
            drawn = VaryingNWaysKShots(meta, few, many)
        super().__init__(
            meta,
            task_transforms=[
                drawn,
                l2l.data.transforms.LoadData(meta),
                SemanticLabels(meta),
            ],
            num_tasks=num_tasks,
            task_collate=collate,
        )
        self.class_names = split.class_names


class SemanticTasksets(NamedTuple):
    """The shape of learn2learn's BenchmarkTasksets."""

    train: SemanticTaskset
    validation: SemanticTaskset
    test: SemanticTaskset


def semantic_tasksets(
    name: str | FewShotData,
    train_ways: Sizes = 5,
    train_samples: Sizes = 10,
    test_ways: Sizes = 5,
    test_samples: Sizes = 10,
    num_tasks: int = -1,
    root: str | Path | None = None,
) -> SemanticTasksets:
    """learn2learn's `get_tasksets`, with tasks that know their classes.

    Args:
        name: a data set's name ("mini_imagenet", "tiered_imagenet", "cifar_fs", "fc100", "cub",
            "generated"), or one that is loaded already.
        train_ways: N of the training tasks; this and the next three may be pairs (least, most),
            of which every task draws its own.
        train_samples: K + Q of the training tasks.
        test_ways: N of the validation and test tasks.
        test_samples: K + Q of the validation and test tasks.
        num_tasks: distinct tasks; -1 draws a new one each time.
        root: where the data lies; None takes $SYNTRANS_DATA, or ~/data where that is not set.
            Decoded images are kept in $SYNTRANS_CACHE, or `syntrans_cache` below the root.

    Raises:
        ValueError: unknown name, or episodes that the classes cannot fill.
        FileNotFoundError: images are missing.
    """
    if isinstance(name, str):
        places = Places.of(root)
        data = benchmark(name).load(places.root, Cache(places.cache))
    else:
        data = name
    return SemanticTasksets(
        SemanticTaskset(data.train, train_ways, train_samples, num_tasks),
        SemanticTaskset(data.validation, test_ways, test_samples, num_tasks),
        SemanticTaskset(data.test, test_ways, test_samples, num_tasks),
    )
