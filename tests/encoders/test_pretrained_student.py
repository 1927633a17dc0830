"""learn2learn's published ResNet-12, from weights of its form."""

from pathlib import Path

import pytest
import torch
from common import random_split

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import Workspace
from syntrans_l2l.encoders.published import learn2learn_resnet12
from syntrans_l2l.encoders.students import BaseStudent
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.job import Job


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights as learn2learn's pretraining script saves them."""
    torch.manual_seed(0)
    backbone = learn2learn().vision.models.ResNet12Backbone()
    path = tmp_path_factory.mktemp("weights") / "resnet12.pth"
    torch.save(backbone.state_dict(), path)
    return path


def test_features_are_those_of_learn2learns_network_on_0_to_255(weights: Path) -> None:
    theirs = learn2learn().vision.models.ResNet12Backbone(avg_pool=True)
    theirs.load_state_dict(torch.load(weights, weights_only=True))
    images = torch.rand(2, 3, 84, 84)
    with torch.no_grad():
        ours = learn2learn_resnet12(str(weights)).eval()(images)
        expected = theirs.eval()(images * 255)
        unscaled = learn2learn_resnet12(str(weights), pixel_scale=1.0).eval()(images)
        torch.testing.assert_close(unscaled, theirs(images))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-3)  # features of about 10
    assert ours.shape == (2, 640)


def test_it_takes_32_px_and_is_not_trained_again(weights: Path, tmp_path: Path) -> None:
    small = FewShotData(
        name="small",
        train=random_split(2, 2, "train"),
        validation=random_split(2, 2, "validation"),
        test=random_split(2, 2, "test"),
        fingerprint="x",
    )
    student = learn2learn_resnet12(str(weights)).train()
    assert student(torch.rand(2, 3, 32, 32)).shape == (2, 640)  # DropBlock would fail
    encoder = BaseStudent(lambda: learn2learn_resnet12(str(weights)), BaseTraining(epochs=0))
    work = Workspace(data=small, cache=Cache(tmp_path), job=Job())
    assert encoder.encode(work).name.startswith("resnet12, learn2learn weights ")
    assert not (tmp_path / "students").exists()


def test_missing_and_other_weights(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"at .*none\.pth: put 25u1gtp5\.pth .*5651278"):
        learn2learn_resnet12(str(tmp_path / "none.pth"))
    torch.save({"layer": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth does not hold learn2learn's ResNet-12"):
        learn2learn_resnet12(str(tmp_path / "other.pth"))
    torch.save(learn2learn_resnet12, tmp_path / "code.pth")
    with pytest.raises(ValueError, match=r"code\.pth does not hold learn2learn's ResNet-12"):
        learn2learn_resnet12(str(tmp_path / "code.pth"))
