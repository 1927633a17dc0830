"""LightningSynTrans in pytorch-lightning's Trainer."""

import importlib
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

import syntrans_l2l.algorithms.lightning
from syntrans_l2l import SynTrans, semantic_tasksets, untrained_classifier
from syntrans_l2l.algorithms.lightning import LightningSynTrans
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.episodes.tasks import SemanticTaskset
from syntrans_l2l.semantics.bank import SemanticBank

EpisodicBatcher = importlib.import_module("learn2learn.utils.lightning").EpisodicBatcher
D, M = 8, 5
SIZES: dict[str, Any] = {
    f"{split}_{what}": n
    for split in ("train", "test")
    for what, n in (("ways", 4), ("shots", 2), ("queries", 3))
}


def trainer(**settings: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, **settings,
    )  # fmt: skip


def tables(data: FewShotData) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        split: torch.randn(len(getattr(data, split).class_names), M, generator=generator)
        for split in SPLITS
    }


def module(data: FewShotData, **settings: Any) -> LightningSynTrans:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, D), nn.BatchNorm1d(D))
    algorithm = SynTrans(features, untrained_classifier(D, M, 16), tables(data)["train"])
    return LightningSynTrans(algorithm, tables(data), **{**SIZES, **settings})


def batcher(data: FewShotData) -> Any:
    return EpisodicBatcher(*semantic_tasksets(data, 4, 5, 4, 5), epoch_length=3)


def test_fit_validate_and_test(data: FewShotData, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = module(data, lr=0.01)
    used = []
    adapt = SynTrans.adapt

    def spy(self: SynTrans, support: Tensor, labels: Tensor, ids: Tensor, **rest: Any) -> None:
        assert self.semantics is not None
        used.append((self.semantics.clone(), ids))
        adapt(self, support, labels, ids, **rest)

    monkeypatch.setattr(SynTrans, "adapt", spy)
    before = {name: p.detach().clone() for name, p in ours.named_parameters()}
    trainer().fit(ours, batcher(data))
    unmoved = [name for name, p in ours.named_parameters() if torch.equal(p, before[name])]
    assert all("visual_to_semantic" in name for name in unmoved)  # b = 0 leaves this half idle
    centred = {split: nn.functional.normalize(each) for split, each in tables(data).items()}

    def only(split: str) -> bool:
        return all(torch.allclose(table, centred[split]) and len(ids) == 4 for table, ids in used)

    sanity, training, validation = used[:2], used[2:5], used[5:]
    assert len(used) == 8
    used = sanity + validation
    assert only("validation")
    used = training
    assert only("train")
    for run, split in (("validate", "validation"), ("test", "test")):
        used = []
        [metrics] = getattr(trainer(), run)(ours, batcher(data), verbose=False)
        assert len(used) == 3 and only(split)
        name = "valid" if run == "validate" else run
        assert 0 <= metrics[f"{name}_accuracy"] <= 1 and metrics[f"{name}_loss"] > 0


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_true_precision_keeps_the_class_ids(
    data: FewShotData, monkeypatch: pytest.MonkeyPatch, precision: Any
) -> None:
    ours, seen = module(data), []
    adapt = SynTrans.adapt

    def spy(self: SynTrans, support: Tensor, labels: Tensor, ids: Tensor, **rest: Any) -> None:
        seen.append((support.dtype, labels.dtype, ids.dtype, len(ids)))
        adapt(self, support, labels, ids, **rest)

    monkeypatch.setattr(SynTrans, "adapt", spy)
    trainer(precision=precision).fit(ours, batcher(data))
    dtype = torch.bfloat16 if precision == "bf16-true" else torch.float64
    assert set(seen) == {(dtype, torch.int64, torch.int64, 4)}


def test_it_takes_the_first_shots_of_each_class_whatever_the_order(data: FewShotData) -> None:
    ours = module(data).eval()
    task = SemanticTaskset(data.train, 4, 5).sample()
    order = torch.tensor([5 * c + sample for sample in range(5) for c in (2, 0, 3, 1)])
    shuffled = type(task)(task.data[order], task.labels[order], task.class_ids)
    ours.train()
    ours.algorithm.eval()
    loss, accuracy = ours.meta_learn(task, 0, 4, 2, 3)
    other, same = ours.meta_learn(shuffled, 0, 4, 2, 3)
    torch.testing.assert_close(loss, other)
    assert accuracy == same

    rows = torch.arange(20).view(4, 5)
    ours.algorithm.adapt(
        task[0][rows[:, :2].flatten()], torch.arange(4).repeat_interleave(2), task.class_ids
    )
    logits = ours.algorithm(task[0][rows[:, 2:].flatten()])
    expected = nn.functional.cross_entropy(logits, torch.arange(4).repeat_interleave(3))
    torch.testing.assert_close(loss, expected)


def test_settings_are_learn2learns(data: FewShotData) -> None:
    ours = module(data, lr=0.25, scheduler_step=7)
    [optimizer], [schedule] = ours.configure_optimizers()
    assert optimizer.param_groups[0]["lr"] == 0.25 and schedule.step_size == 7
    assert (ours.train_ways, ours.test_queries) == (4, 3)
    assert ours.hparams["train_shots"] == 2
    with pytest.raises(TypeError, match=r"unknown settings \['shots'\]; known: train_ways"):
        module(data, shots=1)


def test_banks_bring_names_and_aligned_text_stays(data: FewShotData) -> None:
    """Red before: each step wiped the aligned text and the names."""
    ours, aligned = module(data), tables(data)
    banks = {
        split: SemanticBank(getattr(data, split).class_names, each, "text")
        for split, each in tables(data).items()
    }
    own = LightningSynTrans(ours.algorithm, banks, aligned=aligned, **SIZES)
    own.train().meta_learn(SemanticTaskset(data.train, 4, 5).sample(), 0, 4, 2, 3)
    assert own.algorithm.class_names == tuple(data.train.class_names)
    expected = nn.functional.normalize(aligned["train"])
    torch.testing.assert_close(own.algorithm.aligned_vectors, expected)


def test_bad_tasks_and_tables(data: FewShotData) -> None:
    ours = module(data)
    task = SemanticTaskset(data.train, 4, 5).sample()
    with pytest.raises(ValueError, match="append SemanticLabels"):
        ours.meta_learn(tuple(task), 0, 4, 2, 3)
    with pytest.raises(ValueError, match=r"4 ways of 2 \+ 4 samples .* the task has 20"):
        ours.meta_learn(task, 0, 4, 2, 4)
    lacking = {"train": tables(data)["train"]}
    with pytest.raises(ValueError, match="lacks the class vectors of validation, test"):
        LightningSynTrans(ours.algorithm, lacking)


def test_without_pytorch_lightning_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "syntrans-l2l\[lightning\]"'):
        importlib.reload(syntrans_l2l.algorithms.lightning)
