"""The same few-shot evaluation as other packages do it: one episode at a time."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.datasets.base import Split
from syntrans_l2l.episodes.episodes import Episodes


def learn2learn_loop(
    split: Split, *, fused: bool, ways: int, shots: int, queries: int
) -> Callable[[int, int], Tensor]:
    """A plain loop over a Taskset with PrototypicalClassifier, sampling included.

    Args:
        split: features [n, D] in the place of images.
        fused: FusedNWaysKShots instead of NWays and KShots.
        ways: N.
        shots: K.
        queries: Q.

    Returns:
        (episodes, seed) -> accuracies in percent, [E].
    """
    l2l = learn2learn()
    transforms = l2l.data.transforms
    data = l2l.data.MetaDataset(TensorDataset(split.images, split.labels))
    samples = shots + queries
    if fused:
        draw = [transforms.FusedNWaysKShots(data, n=ways, k=samples)]
    else:
        draw = [transforms.NWays(data, ways), transforms.KShots(data, samples)]
    finish = [
        transforms.LoadData(data),
        transforms.RemapLabels(data),
        transforms.ConsecutiveLabels(data),
    ]
    taskset = l2l.data.Taskset(data, task_transforms=draw + finish)
    classifier = l2l.nn.PrototypicalClassifier(distance="cosine")

    def run(episodes: int, seed: int) -> Tensor:
        random.seed(seed)
        found = []
        for _ in range(episodes):
            features, labels = taskset.sample()
            (support, known), (query, asked) = l2l.data.partition_task(
                features, labels, shots=shots
            )
            classifier.fit_(support, known)
            right = (classifier(query).argmax(-1) == asked).double().mean()
            found.append(100.0 * float(right))
        return torch.tensor(found)

    return run


def easyfsl_loops(
    split: Split, episodes: Episodes
) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """easyfsl's FeaturesDataset, collation and PrototypicalNetworks, and the last of them alone.

    Its TaskSampler does not construct on today's torch, so the indices of the episodes are drawn
    beforehand and sampling is not in the timed part: a head start for easyfsl. The second loop
    starts from features that were gathered beforehand too.
    """
    from easyfsl.datasets import FeaturesDataset
    from easyfsl.methods import PrototypicalNetworks
    from easyfsl.samplers import TaskSampler
    from easyfsl.utils import evaluate_on_one_task

    data = FeaturesDataset(split.labels.tolist(), split.images, list(split.class_names))
    sampler: Any = TaskSampler.__new__(TaskSampler)  # for its collation
    sampler.n_way, sampler.n_shot, sampler.n_query = (
        episodes.ways, episodes.shots, episodes.queries
    )  # fmt: skip
    rows = torch.cat([episodes.support, episodes.query], dim=2).flatten(1).tolist()
    model: Any = PrototypicalNetworks(backbone=nn.Identity()).eval()

    def load(row: list[int]) -> tuple[Tensor, ...]:
        *task, _ = sampler.episodic_collate_fn([data[index] for index in row])
        return tuple(task)

    tasks = [load(row) for row in rows]

    @torch.no_grad()
    def whole() -> Tensor:
        found = [evaluate_on_one_task(model, *load(row)) for row in rows]
        return torch.tensor([100.0 * right / asked for right, asked in found])

    @torch.no_grad()
    def method_alone() -> Tensor:
        found = [evaluate_on_one_task(model, *task) for task in tasks]
        return torch.tensor([100.0 * right / asked for right, asked in found])

    return whole, method_alone
