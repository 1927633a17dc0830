import logging

import pytest
import torch
from common import random_split
from torch import nn

from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.networks.student import Student
from syntrans_l2l.training import speed
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.speed import flops, matrix_peak

CPU = torch.device("cpu")


def test_flops_are_those_of_the_products() -> None:
    """A 3x3 convolution at 8 px and a linear layer, by their closed forms."""
    layers = [nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 64, 7)]
    student = Student(nn.Sequential(*layers), 7, "two products")
    one = 2 * (64 * 5 * 3 * 9 + 5 * 64 * 7)
    assert flops(student, torch.rand(1, 3, 8, 8)) == one
    assert flops(student, torch.rand(4, 3, 8, 8)) == 4 * one


def test_the_peak_is_measured_once() -> None:
    matrix_peak.cache_clear()
    peak = matrix_peak(torch.float32, CPU)
    assert 1e8 < peak < 1e14
    assert matrix_peak(torch.float32, CPU) == peak
    assert matrix_peak.cache_info().misses == 1


@pytest.mark.parametrize(("load", "peak", "said"), [(3.0, 1e14, 1), (3.0, 1.0, 0), (0.5, 1e14, 0)])
def test_a_busy_machine_is_said_once(
    load: float,
    peak: float,
    said: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="syntrans_l2l.training.speed")
    monkeypatch.setattr(speed, "waiting", lambda: load)
    monkeypatch.setattr(speed, "matrix_peak", lambda dtype, device: peak)
    speed._say_busy.cache_clear()
    for _ in range(2):
        speed.log_speed("a stage", resnet12(4), torch.rand(1, 3, 32, 32), torch.float32, 10.0)
    assert sum("this machine is busy" in r.message for r in caplog.records) == said


def test_training_says_how_fast_it_was(caplog: pytest.LogCaptureFixture) -> None:
    base = random_split(3, 8, "base")
    settings = BaseTraining(epochs=1, batch_size=8, precision="float32")
    weights = []
    for level in (logging.WARNING, logging.INFO):
        caplog.set_level(level, logger="syntrans_l2l.training.speed")
        torch.manual_seed(0)
        student = resnet12(4)
        train_base(student, base.images, base.labels, settings, job=Job(seed=0))
        weights.append(student.state_dict())
    [line] = [r.message for r in caplog.records if " images/s, " in r.message]
    rate, share = line.split(" images/s, ")
    assert float(rate.removeprefix("training the student: ").replace(",", "")) > 0
    assert 0 <= int(share.split("%")[0]) <= 100
    assert share.endswith("TFLOP/s in float32)")
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
