"""Two processes on the CPU train what one trains."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from syntrans_l2l.training.fabric import FabricWorkers
from syntrans_l2l.training.workers import ALONE, owned, share

# run by one process, or by two that Fabric starts; without BatchNorm where its name says so
SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import nn
from syntrans_l2l.training.fabric import FabricWorkers
from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.born_again import SelfDistillation, train_again
from syntrans_l2l.training.distillation import Distillation, distil
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.proxy_task import Lesson
from syntrans_l2l.training.workers import ALONE

folder, devices = Path(sys.argv[1]), int(sys.argv[2])
workers = FabricWorkers(devices=devices, accelerator="cpu") if devices > 1 else ALONE
generator = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (49, 3, 16, 16), generator=generator, dtype=torch.uint8)
labels = torch.arange(49) % 4
targets = nn.functional.normalize(torch.randn(49, 8, generator=generator), dim=-1)
vectors = nn.functional.normalize(torch.randn(4, 8, generator=generator), dim=-1)
common = {"job": Job(seed=1, workers=workers)}
result = {}
for name in ("plain", "normalised"):
    torch.manual_seed(0)
    student = resnet12(4)
    if name == "plain":
        layers = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(392, 12)]
        student = Student(nn.Sequential(*layers), 12, name)
    settings = {"epochs": 3, "batch_size": 16, "precision": "float32", "learning_rate": 0.02}
    path = folder / f"{name}{devices}.pt"
    base = BaseTraining(**settings, mixup=0.2, rotation=0.5, hole=0.3, average=0.9, smoothing=0.1)
    losses = train_base(student, images, labels, base, **common, checkpoint_path=path).loss
    if name == "plain":
        taught, again = 3 * nn.functional.one_hot(labels).float(), SelfDistillation(**settings)
        losses += train_again(student, taught, images, labels, again, **common).loss
    weights = {"relational": 1.0, "contrast": 0.1, "prompts": 1.0, "labels": 1.0}
    every = Distillation(**settings, encoder="trained", **weights)
    distil(student, images, Lesson(targets, labels, vectors), every, **common)
    result[name] = {"losses": losses, "weights": dict(student.state_dict())}
torch.save(result, folder / f"{devices}_{workers.rank}.pt")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process has learned, and each of two."""
    folder = tmp_path_factory.mktemp("fabric")
    (folder / "train.py").write_text(SCRIPT)
    for devices in "12":
        command = [sys.executable, str(folder / "train.py"), str(folder), devices]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return {name: torch.load(folder / f"{name}.pt") for name in ("1_0", "2_0", "2_1")}


def test_two_processes_learn_what_one_learns(trained: dict[str, Any]) -> None:
    """Unequal shares and a last batch of one image, losses within the batch and all."""
    one = trained["1_0"]["plain"]
    assert one["losses"][-1] < one["losses"][0]
    for rank in "01":
        two = trained[f"2_{rank}"]["plain"]
        torch.testing.assert_close(two["losses"], one["losses"], rtol=1e-5, atol=0)
        torch.testing.assert_close(two["weights"], one["weights"], rtol=1e-4, atol=1e-5)


def test_batchnorm_of_halves_stays_near(trained: dict[str, Any]) -> None:
    """On the CPU its statistics are those of each half, so the curve is near, and not equal."""
    one, two = (trained[name]["normalised"]["losses"] for name in ("1_0", "2_0"))
    torch.testing.assert_close(two, one, rtol=0.1, atol=0)
    assert two != one


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("total", [1, 2, 7, 128])
def test_every_row_is_one_process_own(total: int, count: int) -> None:
    rows = torch.arange(total)
    assert torch.equal(torch.cat([rows[owned(total, rank, count)] for rank in range(count)]), rows)
    for rank in range(count):
        assert len(rows[share(total, rank, count)]) >= 1
        if total >= count:
            assert share(total, rank, count) == owned(total, rank, count)
    sizes = {len(rows[owned(total, rank, count)]) for rank in range(count)}
    assert max(sizes) - min(sizes) <= 1


def test_alone_is_plain_torch() -> None:
    module = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    assert ALONE.setup(module, optimizer) == (module, optimizer)
    features = torch.ones(3, 2)
    assert ALONE.gather(features, 3) is features


def test_what_fabric_lacks_is_said() -> None:
    with pytest.raises(ValueError, match="strategy"):
        FabricWorkers(devices=2, strategy="no such thing", accelerator="cpu")
    script = (
        "import sys; sys.modules['lightning_fabric'] = None\n"
        "from syntrans_l2l.training.fabric import FabricWorkers\nFabricWorkers(devices=2)"
    )
    failed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "syntrans-l2l[lightning]" in failed.stderr.splitlines()[-1]
