"""Both ways round: learn2learn's algorithms on our tasks, and ours on learn2learn's."""

import importlib
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from common import MakeArchive, accuracies_of, episodes_of
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l import (
    SemanticLabels,
    SynTrans,
    SynTransRow,
    SynTransSettings,
    collate,
    semantic_tasksets,
    untrained_classifier,
)
from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.algorithms.lightning import LightningSynTrans
from syntrans_l2l.algorithms.mixing import Choice, Selection
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.episodes.tasks import SemanticTaskset, SplitDataset
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.networks.fusion import Mix
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.meta import MetaTraining

l2l = learn2learn()
EpisodicBatcher = importlib.import_module("learn2learn.utils.lightning").EpisodicBatcher
WAYS, SHOTS, QUERIES, D, M = 3, 2, 2, 8, 5
SIZES: dict[str, Any] = {
    f"{split}_{what}": n
    for split in ("train", "test")
    for what, n in (("ways", WAYS), ("shots", SHOTS), ("queries", QUERIES))
}


def encoder(width: int = D) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, width))


def vectors(classes: int) -> Tensor:
    return torch.randn(classes, M, generator=torch.Generator().manual_seed(0))


def syntrans(classes: int) -> SynTrans:
    return SynTrans(encoder(), untrained_classifier(D, M, 16), vectors(classes))


def fit(module: Any, *tasksets: Any) -> None:
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
        inference_mode=False,  # MAML takes gradients at test
    )  # fmt: skip
    before = [parameter.detach().clone() for parameter in module.parameters()]
    batcher = EpisodicBatcher(*tasksets, epoch_length=2)
    trainer.fit(module, batcher)
    pairs = zip(before, module.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in pairs)
    [metrics] = trainer.test(module, batcher, verbose=False)
    assert 0 <= metrics["test_accuracy"] <= 1


THEIRS: dict[str, Callable[[], Any]] = {
    "protonet": lambda: l2l.algorithms.LightningPrototypicalNetworks(encoder(), **SIZES),
    "metaoptnet": lambda: l2l.algorithms.LightningMetaOptNet(encoder(), **SIZES),
    "maml": lambda: l2l.algorithms.LightningMAML(encoder(WAYS), **SIZES),
    "anil": lambda: l2l.algorithms.LightningANIL(encoder(), nn.Linear(D, WAYS), **SIZES),
}


@pytest.mark.parametrize("name", THEIRS)
def test_learn2learns_unmodified_modules_train_on_our_tasks(data: FewShotData, name: str) -> None:
    samples = SHOTS + QUERIES
    tasksets = semantic_tasksets(data, WAYS, samples, WAYS, samples)
    fit(THEIRS[name](), *tasksets)


def test_ours_stands_beside_them(data: FewShotData) -> None:
    samples = SHOTS + QUERIES
    tables = {split: vectors(len(getattr(data, split).class_names)) for split in SPLITS}
    module = LightningSynTrans(syntrans(12), tables, **SIZES)
    fit(module, *semantic_tasksets(data, WAYS, samples, WAYS, samples))


def plain_taskset(data: FewShotData, *transforms: Any) -> Any:
    """learn2learn's classes alone, on images of the base classes."""
    dataset = SplitDataset(data.train)
    meta = l2l.data.MetaDataset(dataset, indices_to_labels=dict(enumerate(dataset.labels)))
    names = ("NWays", "KShots", "LoadData", *transforms)
    numbers = {"NWays": (WAYS,), "KShots": (SHOTS + QUERIES,)}
    made = [getattr(l2l.data.transforms, name)(meta, *numbers.get(name, ())) for name in names]
    return l2l.data.Taskset(meta, task_transforms=made)


@pytest.mark.parametrize("relabelled", [(), ("RemapLabels", "ConsecutiveLabels")])
def test_syntrans_trains_on_learn2learns_tasks(
    data: FewShotData, relabelled: tuple[str, ...]
) -> None:
    """Our transform, appended, is all they need; without it, the error says so."""
    taskset = plain_taskset(data, *relabelled)
    algorithm = syntrans(12)
    module = LightningSynTrans(algorithm, **SIZES)
    with pytest.raises(ValueError, match="append SemanticLabels"):
        module.meta_learn(taskset.sample(), 0, WAYS, SHOTS, QUERIES)
    taskset = plain_taskset(data, *relabelled)
    transforms = [*taskset.task_transforms, SemanticLabels(taskset.dataset)]
    taskset = l2l.data.Taskset(taskset.dataset, task_transforms=transforms, task_collate=collate)
    fit(module, taskset)

    optimizer = torch.optim.Adam(algorithm.parameters())
    before = [parameter.detach().clone() for parameter in algorithm.parameters()]
    for _ in range(2):
        task = taskset.sample()
        (support, known), (query, asked) = l2l.data.partition_task(*task, shots=SHOTS)
        learner = algorithm.clone()
        learner.adapt(support, known, task.class_ids)
        optimizer.zero_grad()
        F.cross_entropy(learner(query), asked).backward()
        optimizer.step()
    pairs = zip(before, algorithm.parameters(), strict=True)
    assert sum(not torch.equal(old, new) for old, new in pairs) > 5


def test_learn2learns_own_benchmark_takes_our_transform(make_archive: MakeArchive) -> None:
    """The archive of CIFAR-FS through learn2learn's data set and task transforms."""
    root = str(make_archive(images=8))
    tasks = l2l.vision.benchmarks.get_tasksets(
        "cifarfs", train_ways=WAYS, train_samples=4, test_ways=WAYS, test_samples=4, root=root
    ).train
    tasks.task_transforms.append(SemanticLabels(tasks.dataset))
    tasks.task_collate = collate
    task = tasks.sample()
    names = tasks.dataset.dataset.classes
    assert task[1].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    images = {tuple(x.flatten().tolist()): names[y] for x, y in tasks.dataset.dataset}
    for image, class_id in zip(task[0], task.class_ids[task[1]].tolist(), strict=True):
        assert images[tuple(image.flatten().tolist())] == names[class_id]


@pytest.fixture
def seen(arena: Arena) -> tuple[Arena, nn.Module]:
    """An arena of coloured classes with a real encoder's features, and that encoder."""
    network, generator = encoder(24).eval(), torch.Generator().manual_seed(0)
    splits, features = {}, {}
    for split in SPLITS:
        part = getattr(arena.data, split)
        colours = torch.rand(len(part.class_names), 3, 1, 1, generator=generator)
        noise = torch.rand(part.images.shape, generator=generator)
        images = (255 * (0.1 * colours[part.labels] + 0.9 * noise)).to(torch.uint8)
        splits[split] = replace(part, images=images)
        with torch.no_grad():
            features[split] = network(images.float() / 255.0)
    return replace(arena, data=replace(arena.data, **splits), features=features), network


@torch.no_grad()
def plain_loop(data: FewShotData, answer: Callable[[Any], Any], count: int) -> Tensor:
    """Accuracies in percent, task after task, as a learn2learn script computes them."""
    taskset = SemanticTaskset(data.test, ways=5, samples=2 + 5)
    random.seed(0)
    accuracies = []
    for _ in range(count):
        task = taskset.sample()
        _, asked = l2l.data.partition_task(*task, shots=2)[1]
        accuracies.append(100 * l2l.utils.accuracy(answer(task), asked).double())
    return torch.stack(accuracies)


def test_the_batched_evaluator_equals_a_plain_loop(
    seen: tuple[Arena, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    arena, network = seen
    parts = SynTransSettings(
        folds=2,
        bridge=BridgeTraining(hidden=32, epochs=3),
        meta=MetaTraining(iterations=10, batch_size=2, queries=3),
        alphas=(0.3,),
        semantic_weights=(0.2,),
    )
    validation, test = (episodes_of(arena.data, s, 60, shots=2) for s in ("validation", "test"))
    row, choice = SynTransRow("full", parts), Choice(0, Mix(0.3, 0.2))
    monkeypatch.setattr(
        "syntrans_l2l.algorithms.fitting.select",
        lambda *_: Selection(choice, torch.zeros(2, 1, 1, 1, 1)),
    )
    assert arena.semantics is not None
    table = arena.semantics.select(arena.data.test.class_names)
    algorithm = row.fit(arena, validation).set_classes_(table).set_encoder_(network)

    def ours(task: Any) -> Any:
        (support, known), (query, _) = l2l.data.partition_task(*task, shots=2)
        learner = algorithm.clone()
        learner.adapt(support, known, task.class_ids)
        return learner(query)

    def protonet(task: Any) -> Any:
        (support, known), (query, _) = l2l.data.partition_task(*task, shots=2)
        classifier = l2l.nn.PrototypicalClassifier(network(support), known)
        return classifier(network(query))

    rows = []
    for method, answer in ((row, ours), (ProtoNet("euclidean"), protonet)):
        rows.append(accuracies_of(method.prepare(arena, validation).predict, test))
        loop = plain_loop(arena.data, answer, len(test))
        torch.testing.assert_close(rows[-1], loop, rtol=0, atol=1e-4)  # theirs is in float32
    assert rows[1].mean() > 30 and not torch.equal(*rows)
