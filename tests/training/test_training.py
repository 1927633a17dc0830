from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from common import random_split
from small_student import CPU, killed_in_third_epoch, student
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import Workspace
from syntrans_l2l.encoders.factories import cnn4, resnet12, timm_encoder
from syntrans_l2l.encoders.students import BaseStudent
from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.augment import colour_jitter, cutout, draw_jitter, random_crop, turned
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.batches import BatchesOf, batch_sizes
from syntrans_l2l.training.features import extract
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.precision import resolve
from syntrans_l2l.training.probe import Probe
from syntrans_l2l.training.workers import ALONE

SETTINGS = BaseTraining(epochs=3, batch_size=32, precision="float32")


EVERYTHING = replace(
    SETTINGS, smoothing=0.1, mixup=0.2, rotation=0.5, hole=0.3, average=0.9, precision="float32"
)


def with_dropout() -> Student:
    """Red before: its zeros were drawn from whatever the process had drawn before."""
    made = student()
    made.encoder = nn.Sequential(made.encoder, nn.Dropout(0.3))
    return made


@pytest.mark.parametrize(
    ("settings", "student"),
    [(SETTINGS, student), (EVERYTHING, student), (SETTINGS, with_dropout)],
    ids=["plain", "everything", "dropout"],
)
def test_a_killed_training_resumes_to_the_same_bits(
    tmp_path: Path, settings: BaseTraining, student: Callable[[], Student]
) -> None:
    base, watch = random_split(4, 16, "base"), float_sum
    whole, resumed, path = student(), student(), tmp_path / "checkpoint.pt"
    curve = train_base(whole, base.images, base.labels, settings, job=Job(seed=1), watch=watch)
    with pytest.raises(KeyboardInterrupt):
        train_base(resumed, base.images, base.labels, settings, checkpoint_path=path, watch=watch,
                   job=Job(seed=1, progress=killed_in_third_epoch))  # fmt: skip
    again = student()
    assert curve == train_base(again, base.images, base.labels, settings, job=Job(seed=1),
                               checkpoint_path=path, watch=watch)  # fmt: skip
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert len(curve.loss) == len(curve.validation) == 3
    assert settings is EVERYTHING or curve.loss[-1] < curve.loss[0]
    other = train_base(student(), base.images, base.labels, settings, job=Job(seed=2))
    assert curve.loss != other.loss


def float_sum(student: Student) -> float:
    """Depends on every weight that is kept."""
    assert not student.training
    return float(sum(value.double().sum() for value in student.state_dict().values()))


def test_no_batch_is_of_one_image() -> None:
    """Red before: BatchNorm raised in the last step of the first epoch."""
    assert batch_sizes(129, 64) == [64, 65] and batch_sizes(128, 64) == [64, 64]
    assert batch_sizes(130, 64) == [64, 64, 2] and batch_sizes(1, 64) == [1]
    for images in range(2, 40):
        sizes = batch_sizes(images, 6)
        assert sum(sizes) == images and 2 <= min(sizes) <= max(sizes) <= 7
    base = random_split(3, 11, "base")  # 33 images, and at 16 px a last map of one pixel
    train_base(student(), base.images[..., ::2, ::2], base.labels, SETTINGS, job=Job())


@pytest.mark.parametrize("switch", ["smoothing", "mixup", "rotation", "hole", "average"])
def test_each_switch_changes_the_student_and_none_leaves_it(switch: str) -> None:
    base, plain, same, other = random_split(4, 16, "base"), student(), student(), student()
    fields = asdict(SETTINGS)
    for trained, settings in (
        (plain, SETTINGS),
        (same, BaseTraining(**{**fields, switch: 0.0})),
        (other, BaseTraining(**{**fields, switch: 0.5})),
    ):
        train_base(trained, base.images, base.labels, settings, job=Job(seed=1))
    assert float_sum(plain) == float_sum(same) != float_sum(other)


def test_the_moving_average_is_kept() -> None:
    """Against its formula, over the weights after each step of a training without it."""
    base, decay = random_split(4, 16, "base"), 0.8
    one_step = replace(SETTINGS, batch_size=64)  # so that an epoch is a step
    states: list[dict[str, torch.Tensor]] = []

    def keep(trained: Student) -> float:
        states.append({name: value.clone() for name, value in trained.state_dict().items()})
        return 0.0

    train_base(student(), base.images, base.labels, one_step, job=Job(seed=1), watch=keep)
    averaged = student()
    settings = replace(one_step, average=decay)
    train_base(averaged, base.images, base.labels, settings, job=Job(seed=1))
    for name, value in averaged.state_dict().items():
        if value.is_floating_point() and name not in ("mean", "std"):
            expected = states[0][name].double()
            for state in states[1:]:
                expected = decay * expected + (1 - decay) * state[name].double()
            torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-6)


def test_mixed_images_are_the_stated_parts_of_the_stated_images() -> None:
    """Images of one grey each, which neither crops nor flips change."""
    greys = torch.arange(32) * 8
    images = greys.to(torch.uint8)[:, None, None, None].expand(-1, 3, 8, 8).contiguous()
    settings = replace(SETTINGS, jitter=0.0, batch_size=32)
    shown = BatchesOf(images, settings, ALONE, mixup=0.5, turning=False, seed=3)
    ((views, batch),) = list(shown)
    assert sorted(batch.partners.tolist()) == sorted(batch.places.tolist()) == list(range(32))
    part = float(batch.own_part)
    assert 0 < part < 1
    expected = part * greys[batch.places] + (1 - part) * greys[batch.partners]
    torch.testing.assert_close(views.mean((1, 2, 3)) * 255, expected, rtol=0, atol=0.51)


def test_pictures_that_are_turned_must_be_square() -> None:
    images = torch.zeros(8, 3, 16, 20, dtype=torch.uint8)
    with pytest.raises(ValueError, match="rotation needs square pictures"):
        train_base(student(), images, torch.arange(8) % 2, EVERYTHING, job=Job(seed=0))


@pytest.mark.parametrize("images", [1, 2, 3, 4, 5, 6, 9])
def test_the_shortest_trainings_run(images: int) -> None:
    base = random_split(1, images, "base")
    settings = replace(SETTINGS, epochs=1, batch_size=1)
    trained = Student(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)), 4, "linear")
    curve = train_base(trained, base.images, base.labels, settings, job=Job(seed=0))
    assert len(curve.loss) == 1


def test_a_damaged_checkpoint_is_reported_and_training_starts_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base, path = random_split(4, 8, "base"), tmp_path / "checkpoint.pt"
    path.write_bytes(b"not a checkpoint")
    curve = train_base(student(), base.images, base.labels, SETTINGS, job=Job(seed=1),
                       checkpoint_path=path)  # fmt: skip
    assert len(curve.loss) == 3 and "damaged checkpoint" in caplog.text


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


def test_two_views_are_the_mean_with_the_mirror_image() -> None:
    one, two = resnet12(4), resnet12(4, views=2)
    two.load_state_dict(one.state_dict())
    images = torch.rand(3, 3, 32, 32)
    expected = (one.eval()(images) + one(images.flip(-1))) / 2
    assert torch.equal(two.eval()(images), expected) and not torch.equal(two(images), one(images))
    torch.testing.assert_close(two(images), two(images.flip(-1)))
    assert one.name != two.name and repr(one) != repr(two)
    with pytest.raises(ValueError, match="views must be 1 or 2"):
        resnet12(4, views=3)


def test_turned_and_cut_out_pixel_by_pixel() -> None:
    images = torch.rand(4, 3, 8, 8)
    turns = torch.tensor([0, 1, 2, 3])
    for image, quarters, result in zip(images, turns, turned(images, turns), strict=True):
        assert torch.equal(result, image.rot90(int(quarters), (1, 2)))
    middles = torch.tensor([[0, 7, 4, 2], [0, 7, 4, 5]])
    holes = cutout(images, 3, middles)
    for number, (row, column) in enumerate(middles.T.tolist()):
        for i in range(8):
            for j in range(8):
                inside = abs(i - row) <= 1 and abs(j - column) <= 1
                expected = torch.full((3,), 0.5) if inside else images[number, :, i, j]
                assert torch.equal(holes[number, :, i, j], expected)


def test_the_probe_tells_a_good_student_from_a_blind_one() -> None:
    """Classes of one colour each: their mean colour says all, a constant nothing."""
    labels = torch.arange(6).repeat_interleave(20)
    images = torch.randint(0, 256, (6, 3, 1, 1), dtype=torch.uint8)[labels].expand(-1, -1, 8, 8)
    probe = Probe(images, labels, Job(seed=0), episodes=50)
    seeing = Student(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), 3, "colour")
    assert probe(seeing.eval()) == 100.0
    blind = Student(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), 2, "blind")
    nn.init.zeros_(blind.encoder[1].weight)  # type: ignore[index]
    assert probe(blind.eval()) == pytest.approx(20.0)


def test_students_of_one_and_of_two_views_share_weights_and_curve(
    tmp_path: Path, data: FewShotData
) -> None:
    """Whichever is trained first: the curve sees one view."""
    curves = []
    for order in ((1, 2), (2, 1)):
        work = Workspace(data=data, cache=Cache(tmp_path / f"{order}"), job=Job())
        for views in order:
            encoder = BaseStudent(lambda views=views: resnet12(4, views=views), SETTINGS)
            curves.append(encoder.encode(work).curve)
        assert len(list((tmp_path / f"{order}" / "students").glob("*.safetensors"))) == 1
    assert all(curve == curves[0] and curve["validation"] for curve in curves)
