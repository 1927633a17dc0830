from pathlib import Path

import pytest
import torch
from common import random_split
from small_student import CPU, killed_in_third_epoch, student
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import Workspace
from syntrans_l2l.encoders.factories import cnn4, resnet12, timm_encoder
from syntrans_l2l.encoders.students import BaseStudent
from syntrans_l2l.training.augment import colour_jitter, draw_jitter, random_crop
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.features import extract
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.precision import resolve

SETTINGS = BaseTraining(epochs=3, batch_size=32, precision="float32")


def test_a_killed_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    base = random_split(4, 16, "base")
    whole, resumed, path = student(), student(), tmp_path / "checkpoint.pt"
    losses = train_base(whole, base.images, base.labels, SETTINGS, job=Job(seed=1))
    with pytest.raises(KeyboardInterrupt):
        train_base(resumed, base.images, base.labels, SETTINGS, checkpoint_path=path,
                   job=Job(seed=1, progress=killed_in_third_epoch))  # fmt: skip
    again = student()
    assert losses == train_base(again, base.images, base.labels, SETTINGS, job=Job(seed=1),
                                checkpoint_path=path)  # fmt: skip
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert losses[-1] < losses[0]
    other = student()
    assert losses != train_base(other, base.images, base.labels, SETTINGS, job=Job(seed=2))


def test_a_damaged_checkpoint_is_reported_and_training_starts_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base, path = random_split(4, 8, "base"), tmp_path / "checkpoint.pt"
    path.write_bytes(b"not a checkpoint")
    losses = train_base(student(), base.images, base.labels, SETTINGS, job=Job(seed=1),
                        checkpoint_path=path)  # fmt: skip
    assert len(losses) == 3 and "damaged checkpoint" in caplog.text


def test_images_must_be_bytes() -> None:
    with pytest.raises(ValueError, match="uint8"):
        train_base(student(), torch.rand(4, 3, 32, 32), torch.zeros(4), SETTINGS, job=Job(seed=0))


@pytest.mark.parametrize("size", [32, 84])
def test_students_take_both_sizes(size: int) -> None:
    for made in (resnet12(4), cnn4(8), timm_encoder("resnet10t")):
        features = made.eval()(torch.rand(2, 3, size, size))
        assert features.shape == (2, made.out_features)
    assert resnet12(64).out_features == 640


def test_timm_resizes_and_knows_its_names() -> None:
    vit = timm_encoder("vit_tiny_patch16_224", image_size=224).eval()
    assert vit(torch.rand(1, 3, 32, 32)).shape == (1, 192)
    with pytest.raises(ValueError, match="timm has no model 'resnet13'"):
        timm_encoder("resnet13")


def test_image_sizes_of_one_model_are_two_students(tmp_path: Path, data: FewShotData) -> None:
    """Their weights may be the same, and their features must not be."""
    hashes = []
    for image_size in (None, 48, 64):
        torch.manual_seed(0)
        made = timm_encoder("resnet10t", image_size=image_size)
        made.pretrained = True  # as loaded weights are: no training tells them apart
        encoder = BaseStudent(lambda made=made: made, SETTINGS)
        work = Workspace(data=data, cache=Cache(tmp_path), job=Job())
        hashes.append(encoder.encode(work).hash)
    assert len(set(hashes)) == 3


def test_full_width_is_the_literatures() -> None:
    widths = [block.shortcut[0].out_channels for block in resnet12(64).encoder.blocks]  # type: ignore[union-attr]
    assert widths == [64, 160, 320, 640]
    with pytest.raises(ValueError, match="even"):
        resnet12(5)


def test_features_do_not_depend_on_their_batch() -> None:
    images, made = random_split(3, 5, "x").images, student()
    together = extract(made, images, job=Job(), precision="float32")
    alone = extract(made, images, job=Job(), precision="float32", batch_size=4)
    torch.testing.assert_close(together, alone)
    assert not made.training and together.shape == (15, 40)


def test_crops_are_shifts_and_flips() -> None:
    images = random_split(2, 8, "x").images
    views = random_crop(images, 2, torch.Generator().manual_seed(0))
    padded = F.pad(images.float(), (2, 2, 2, 2), mode="reflect").to(torch.uint8)
    found: list[tuple[int, int, bool]] = []
    for image, view in zip(padded, views, strict=True):
        for top in range(5):
            for left in range(5):
                crop = image[:, top : top + 32, left : left + 32]
                found += [(top, left, flip) for flip in (False, True)
                          if torch.equal(crop.flip(-1) if flip else crop, view)]  # fmt: skip
    assert len(found) == len(images) and len(set(found)) > 5


def test_no_jitter_changes_nothing() -> None:
    images = torch.rand(4, 3, 8, 8)
    generator = torch.Generator().manual_seed(0)
    torch.testing.assert_close(colour_jitter(images, draw_jitter(4, 0.0, generator)), images)
    jittered: Tensor = colour_jitter(images, draw_jitter(4, 0.4, generator))
    assert jittered.min() >= 0 and jittered.max() <= 1 and not torch.allclose(jittered, images)


def test_precision_by_name() -> None:
    assert resolve("float32", CPU) == torch.float32 and resolve("bfloat16", CPU) == torch.bfloat16
    with pytest.raises(ValueError, match="precision must be"):
        resolve("float16", CPU)  # type: ignore[arg-type]
