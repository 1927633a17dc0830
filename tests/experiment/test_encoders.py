"""One table on several encoders, over the same episodes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from common import MakeArchive
from torch import Tensor, nn

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.cifar_fs import CifarFs
from syntrans_l2l.encoders.checkpoint import Checkpoint
from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.experiment.config import load_experiment
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.distillation import Distillation


class Colours(nn.Module):
    """Four pixels of a picture, and a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return images[:, :, ::16, ::16].flatten(1) * self.scale


def row(name: str, encoder: Any) -> Row:
    method: Any = ProtoNet("cosine")
    return Row(method=method, encoder=encoder, name=name)


def run(experiment: Experiment, root: Path, out: str) -> tuple[dict[str, Record], RecordStore]:
    store = RecordStore(root / out)
    experiment.check(root)
    done = experiment.run(root=root, cache=Cache(root / "cache"), store=store, config="",
                          versions={"code": "x"}, device=torch.device("cpu"))  # fmt: skip
    return {record.method: record for record in done}, store


@pytest.fixture
def settings(make_archive: MakeArchive, tmp_path: Path) -> dict[str, Any]:
    make_archive(images=8)
    return {
        "dataset": CifarFs(),
        "student": lambda: resnet12(4),
        "base_training": BaseTraining(epochs=1, batch_size=32),
        "distillation": Distillation(encoder="trained", epochs=1, batch_size=32),
        "teacher": ClipTeacher("embedded"),
        "shots": [1],
        "queries": 5,
        "episodes": 40,
        "validation_episodes": 10,
    }


def test_students_teacher_and_an_own_network_in_one_table(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    torch.save({"params": {"encoder.scale": torch.tensor(2.0)}}, tmp_path / "colours.pth")
    own = Checkpoint(Colours, tmp_path / "colours.pth")
    rows: list[Any] = [
        ProtoNet("cosine"),
        row("taught", "distilled"),
        row("clip", "teacher"),
        row("own", own),
    ]
    records, store = run(Experiment(methods=rows, **settings), tmp_path, "out")
    named = {name: record.student for name, record in records.items()}
    assert named["protonet_cosine"] == "resnet12, width 4"
    assert named["taught"] == "resnet12, width 4, distilled"
    assert named["clip"].startswith("embedded CLIP")
    assert named["own"].startswith("Colours, weights colours.pth ")
    seen = {name: record.uses_teacher_images for name, record in records.items()}
    assert seen == {"protonet_cosine": False, "taught": True, "clip": True, "own": False}
    accuracies = [tuple(store.accuracies(record).tolist()) for record in records.values()]
    assert len(set(accuracies)) == 4
    assert records["own"].accuracy > 40  # the archive's classes are colours; chance is 20
    # cached features are there once an encoder: four encoders, three splits, and base images
    # that stage 1 shows the teacher are those of the teacher's own row
    assert len(list((tmp_path / "cache" / "features").glob("*.safetensors"))) == 12


def test_the_seed_of_training_is_not_that_of_episodes(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    torch.save({"scale": torch.tensor(2.0)}, tmp_path / "colours.pth")
    rows: list[Any] = [
        ProtoNet("cosine"),
        row("own", Checkpoint(Colours, tmp_path / "colours.pth")),
    ]
    accuracies = {}
    for seed, training_seed in ((0, None), (0, 0), (0, 1), (1, 1)):
        experiment = Experiment(methods=rows, seed=seed, training_seed=training_seed, **settings)
        records, store = run(experiment, tmp_path, f"out{seed}{training_seed}")
        accuracies[seed, training_seed] = {
            name: store.accuracies(record) for name, record in records.items()
        }
        assert {record.seed for record in records.values()} == {seed}
    same, other, both = accuracies[0, 0], accuracies[0, 1], accuracies[1, 1]
    for name in same:
        assert torch.equal(same[name], accuracies[0, None][name])
    assert torch.equal(same["own"], other["own"])  # the same episodes on the same weights
    assert not torch.equal(same["protonet_cosine"], other["protonet_cosine"])
    assert not torch.equal(other["own"], both["own"])


def test_two_gin_lines_make_an_own_network_the_encoder(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the file is the experiment: data, row and table."""
    (tmp_path / "my_backbone.py").write_text(
        "from torch import nn\n\nclass MyNet(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.conv = nn.Conv2d(3, 4, 5)\n\n"
        "    def forward(self, images):\n        return self.conv(images)\n"
    )
    weights = {"conv.weight": torch.randn(4, 3, 5, 5), "conv.bias": torch.zeros(4)}
    torch.save({"state_dict": {f"module.{n}": w for n, w in weights.items()}}, tmp_path / "my.pth")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own.gin").write_text(
        "Experiment.dataset = @CifarFs()\nExperiment.methods = [@own/Row()]\n"
        "own/Row.method = @cosine/ProtoNet()\ncosine/ProtoNet.distance = 'cosine'\n"
        "own/Row.encoder = @Checkpoint()\nExperiment.shots = [1]\nExperiment.queries = 5\n"
        "Experiment.episodes = 20\nExperiment.validation_episodes = 10\n"
        "Checkpoint.module = 'my_backbone.MyNet'\n"
        f"Checkpoint.path = {str(tmp_path / 'my.pth')!r}\n"
    )
    records, _ = run(load_experiment(tmp_path / "own.gin", []), tmp_path, "out")
    [record] = records.values()
    assert record.student.startswith("MyNet, weights my.pth ")
