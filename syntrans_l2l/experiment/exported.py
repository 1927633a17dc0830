"""The test episodes of an experiment, for code of other people."""

from collections.abc import Iterator
from pathlib import Path

import torch

from syntrans_l2l.array_file import read_arrays
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import SPLITS, Benchmark, FewShotData, Split
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.datasets.images import ImageBenchmark
from syntrans_l2l.episodes.episode_file import EpisodeFile
from syntrans_l2l.episodes.episodes import cached_episodes
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.training.job import CPU

ROWS = "rows of the test split, in the data set's own order"


def exported_episodes(
    experiment: Experiment, *, root: Path, cache: Cache, progress: Progress = silent
) -> Iterator[EpisodeFile]:
    """The test episodes that every row of the experiment sees, for each K. Nothing is trained.

    Args:
        experiment: whose.
        root: where the data lies.
        cache: where finished stages lie.
        progress: draws bars.

    Raises:
        FileNotFoundError: data are missing.
        ValueError: the test classes cannot fill such episodes.
    """
    work = experiment.prepare(root=root, cache=cache, device=CPU, progress=progress).work
    data = work.data
    tested, whole = experiment.dataset, data
    if experiment.test_dataset is not None:
        tested = experiment.test_dataset
        whole = tested.load(root, cache, progress)
    names, images_are = _images(tested, whole, root)
    images = tuple(names[row] for row in _kept(whole.test, data.test))
    for size in experiment.sizes:
        yield EpisodeFile(
            dataset=data.name,
            data_fingerprint=data.fingerprint,
            seed=experiment.seed,
            class_names=data.test.class_names,
            images=images,
            images_are=images_are,
            episodes=cached_episodes(
                cache,
                data.test,
                {"data": data.fingerprint, "split": "test"},
                size,
                seed=experiment.seed,
                progress=progress,
            ),
        )


def _images(dataset: Benchmark, data: FewShotData, root: Path) -> tuple[tuple[str | int, ...], str]:
    """What each test image is called outside, and what these names are.

    Args:
        dataset: whose test images.
        data: what it gave, no class left out.
        root: where the data lies.
    """
    count = len(data.test.labels)
    if isinstance(dataset, FeatureBenchmark):
        path = dataset.path if dataset.path.is_file() else root / dataset.path
        if path.is_file():
            return tuple(_rows(path, data)), f"rows of {path.name}"
    if isinstance(dataset, ImageBenchmark):
        files = dataset.files(root).files
        # archives hold many images a file; lists of pictures have train, validation, test in order
        if len(files) == sum(len(getattr(data, split).labels) for split in SPLITS):
            names = [_below(root, file) for file in files[-count:]]
            return tuple(names), "files, below the data root unless absolute"
    return tuple(range(count)), ROWS


def _rows(path: Path, data: FewShotData) -> list[int]:
    """The rows of a file of features that are the test split, in its order."""
    arrays, lists = read_arrays(path, ("labels",), ("class_names",), form="a file of features")
    classes = [lists["class_names"].index(name) for name in data.test.class_names]
    kept = torch.isin(arrays["labels"].long(), torch.tensor(classes))
    return [int(row) for row in torch.where(kept)[0]]


def _kept(whole: Split, part: Split) -> list[int]:
    """The rows of a split that are left where some of its classes are dropped, in their order."""
    classes = torch.tensor([whole.class_names.index(name) for name in part.class_names])
    return [int(row) for row in torch.where(torch.isin(whole.labels, classes))[0]]


def _below(root: Path, file: Path) -> str:
    return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
