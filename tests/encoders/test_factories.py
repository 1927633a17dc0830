"""Students by name, where their weights and pictures are wanting."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import Workspace
from syntrans_l2l.encoders.born_again import BornAgainStudent
from syntrans_l2l.encoders.factories import resnet12, timm_encoder
from syntrans_l2l.encoders.students import BaseStudent
from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.born_again import SelfDistillation
from syntrans_l2l.training.job import Job

ONE = BaseTraining(epochs=1, batch_size=64, precision="float32")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head is in the file, as in timm's."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("timm") / "resnet10t.pth"
    torch.save(timm.create_model("resnet10t").state_dict(), path)
    return path


def test_pretrained_weights_are_taken_as_they_are_unless_asked(
    weights: Path, data: FewShotData, tmp_path: Path
) -> None:
    """With timm's own normalisation, and without a stage 0."""
    theirs = timm.create_model("resnet10t", num_classes=0).eval()
    state = torch.load(weights, weights_only=True)
    theirs.load_state_dict({n: w for n, w in state.items() if not n.startswith("fc.")})
    mean, std = (torch.tensor(theirs.pretrained_cfg[k]).view(3, 1, 1) for k in ("mean", "std"))
    encoder = BaseStudent(lambda: timm_encoder("resnet10t", weights=str(weights)), ONE)
    encoder.check(32)
    work = Workspace(data=data, cache=Cache(tmp_path), job=Job())
    with torch.no_grad():
        wanted: Tensor = theirs((data.test.images / 255.0 - mean) / std)
    encoded = encoder.encode(work)
    torch.testing.assert_close(encoded.features["test"], wanted, rtol=1e-3, atol=1e-4)
    assert encoded.name == "resnet10t, weights resnet10t.pth"
    assert not (tmp_path / "students").exists()
    again = BaseStudent(
        lambda: timm_encoder("resnet10t", weights=str(weights), fine_tune=True), ONE
    )
    trained = again.network(work).state_dict()
    assert len(list((tmp_path / "students").glob("*.safetensors"))) == 1
    assert not torch.equal(trained["encoder.conv1.0.weight"], state["conv1.0.weight"])
    assert (trained["encoder.conv1.0.weight"] - state["conv1.0.weight"]).abs().mean() < 0.05


def test_weights_that_are_not_there_are_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network timm would try for a minute: the hub is asked once, and never by timm."""
    asked: list[Any] = []

    def unreachable(*arguments: object, **named: object) -> None:
        asked.append(arguments)
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", unreachable)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr("timm.create_model", unreachable)
    with pytest.raises(FileNotFoundError) as caught:
        timm_encoder("resnet10t", pretrained=True)
    for part in ("timm's resnet10t", "timm/resnet10t", "HF_HUB_OFFLINE", "timm_encoder.weights"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value) and len(asked) == 1
    with pytest.raises(FileNotFoundError, match=r"no weights at .*none\.pth"):
        timm_encoder("resnet10t", weights=str(tmp_path / "none.pth"))
    assert len(asked) == 1


def test_offline_by_variable() -> None:
    script = (
        "from syntrans_l2l.encoders.factories import timm_encoder\n"
        "timm_encoder('resnet10t', pretrained=True)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": "/nowhere"}
    failed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert "FileNotFoundError: no weights of timm's resnet10t" in failed.stderr.splitlines()[-1]


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"layer": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth does not fit ResNet: missing") as caught:
        timm_encoder("resnet10t", weights=str(tmp_path / "other.pth"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "size", "message"),
    [
        (lambda: timm_encoder("vit_tiny_patch16_224"), 84,
         r"vit_tiny_patch16_224, from scratch does not take pictures of 84 px: set "
         r"timm_encoder\.image_size = 224"),
        (lambda: resnet12(4), 8, "resnet12, width 4 does not take pictures of 8 px: .* 16 px"),
    ],
)  # fmt: skip
def test_students_that_do_not_fit_the_pictures(make: Any, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        BaseStudent(make, ONE).check(size)
    assert "\n" not in str(caught.value)
    BaseStudent(make, ONE).check(224)


def test_a_student_with_dropout_is_trained_alike_twice(data: FewShotData, tmp_path: Path) -> None:
    """Red before: its zeros came from the random numbers of whoever called."""

    def make() -> Student:
        layers = (nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * 32 * 32, 4))
        return Student(nn.Sequential(*layers), 4, "with dropout")

    hashes = []
    for folder, before in (("a", 1), ("b", 2)):
        torch.manual_seed(before)
        work = Workspace(data=data, cache=Cache(tmp_path / folder), job=Job())
        hashes.append(BaseStudent(make, ONE).encode(work).hash)
        assert torch.initial_seed() == before
    assert hashes[0] == hashes[1]


def test_trainings_that_cannot_be_done(data: FewShotData, tmp_path: Path) -> None:
    """Red before: errors of the schedule and of a maximum over nothing, in the middle of a run."""
    for training in (BaseTraining(epochs=0), BaseTraining(batch_size=1)):
        with pytest.raises(ValueError, match=r"epochs of 1 or more and a batch_size of 2 or more"):
            BaseStudent(lambda: resnet12(4), training).check(32)
    again = BornAgainStudent(BaseStudent(lambda: resnet12(4), ONE), SelfDistillation(epochs=0))
    with pytest.raises(ValueError, match=r"^SelfDistillation needs epochs"):
        again.check(32)
    none = replace(data.train, images=data.train.images[:0], labels=data.train.labels[:0])
    work = Workspace(data=replace(data, train=none), cache=Cache(tmp_path), job=Job())
    with pytest.raises(ValueError, match=r"no base image to train resnet12, width 4 on: add"):
        BaseStudent(lambda: resnet12(4), ONE).encode(work)


def test_what_is_no_feature_vector_is_refused() -> None:
    def maps() -> Student:
        return Student(nn.Conv2d(3, 4, 3), 4, "maps")

    with pytest.raises(ValueError, match=r"maps gives \[1, 4, 30, 30\] .*must be \[n, D\]"):
        BaseStudent(maps, ONE).check(32)
    with pytest.raises(ValueError, match=r"bind Experiment\.student"):
        BaseStudent(None, ONE).check(32)
    with pytest.raises(ValueError, match="needs images, and features have none"):
        BaseStudent(maps, ONE).check(None)


def test_a_factorys_settings_are_in_the_keys(data: FewShotData, tmp_path: Path) -> None:
    """Two factories of one name: what they make is trained apart."""

    def make(slope: float) -> Student:
        layers = [nn.Conv2d(3, 4, 3, stride=4), nn.LeakyReLU(slope), nn.AdaptiveAvgPool2d(1)]
        return Student(nn.Sequential(*layers, nn.Flatten()), 4, "own")

    work = Workspace(data=data, cache=Cache(tmp_path), job=Job())
    sums = []
    for slope in (0.0, 0.5):
        encoder = BaseStudent(lambda slope=slope: make(slope), ONE)
        sums.append(encoder.network(work).state_dict()["encoder.0.weight"].sum())
    assert sums[0] != sums[1]
    assert len(list((tmp_path / "students").glob("*.safetensors"))) == 2
