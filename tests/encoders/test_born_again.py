"""Stage 0 twice: against stage 0 itself, a closed form, and scipy."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from common import random_split
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, rel_entr, softmax
from small_student import killed_in_third_epoch, student
from torch.nn import functional as F

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import Workspace
from syntrans_l2l.encoders.born_again import BornAgainStudent
from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.encoders.students import BaseStudent
from syntrans_l2l.training import born_again
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.batches import Batch
from syntrans_l2l.training.born_again import SelfDistillation, said, train_again
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.loop import Curve

BASE = random_split(4, 16, "base")
AGAIN = SelfDistillation(epochs=3, batch_size=32, precision="float32")
FIRST = BaseTraining(epochs=3, batch_size=32, precision="float32")


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_told_the_labels_it_is_stage_0(weight: float) -> None:
    """With T = 1 the divergence from one-hot answers is the cross-entropy, whatever the weight."""
    told, job = 1e4 * F.one_hot(BASE.labels).float(), Job(seed=1)
    first, second, third = student(), student(), student()
    expected = train_base(first, BASE.images, BASE.labels, FIRST, job=job)
    for made in (second, third):
        made.mean.copy_(first.mean)
        made.std.copy_(first.std)
    settings = replace(AGAIN, temperature=1.0, weight=weight)
    curve = train_again(second, told, BASE.images, BASE.labels, settings, job=job)
    assert curve.loss == pytest.approx(expected.loss, rel=1e-4)
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=1e-2, atol=1e-3)
    turned = train_again(third, told.roll(1, dims=1), BASE.images, BASE.labels, settings,
                         job=job)  # fmt: skip
    assert turned.loss != pytest.approx(expected.loss, rel=1e-2)


def test_the_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """(1 - w) CE + w T^2 KL(first || this), of a batch in another order than the images."""
    seen: dict[str, Any] = {}

    def spy(made: object, head: object, loss: object, *_: object, **__: object) -> Curve:
        seen.update(head=head, loss=loss)
        return Curve()

    monkeypatch.setattr(born_again, "train_on_images", spy)
    told, made = torch.randn(64, 4), student()
    train_again(made, told, BASE.images, BASE.labels, replace(AGAIN, weight=0.3), job=Job())
    places, features = torch.tensor([5, 60, 33]), torch.randn(3, made.out_features)
    batch = Batch(places, places, torch.ones(()), torch.zeros(3, dtype=torch.long))
    logits = seen["head"](features).detach().double().numpy()
    own = -log_softmax(logits, 1)[range(3), BASE.labels[places]].mean()
    first = softmax(told[places].double().numpy() / 4, 1)
    divergence = rel_entr(first, softmax(logits / 4, 1)).sum(1).mean()
    expected = 0.7 * own + 0.3 * 16 * divergence
    assert seen["loss"](features, batch).item() == pytest.approx(expected, rel=1e-5)


def test_what_the_first_student_says_is_scaled_to_fit_best() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(6).repeat_interleave(30)
    features = torch.randn(6, 12, generator=generator)[labels] + 1.2 * torch.randn(
        180, 12, generator=generator
    )
    logits = said(features, labels)
    unit = features / features.norm(dim=1, keepdim=True)
    means = torch.stack([unit[labels == each].mean(0) for each in range(6)])
    cosine = unit @ (means / means.norm(dim=1, keepdim=True)).T
    scale = float((logits / cosine).median())
    torch.testing.assert_close(logits, scale * cosine)
    best = minimize_scalar(
        lambda exponent: float(F.cross_entropy(2**exponent * cosine, labels)),
        bounds=(0, 8), method="bounded",
    ).x  # fmt: skip
    assert abs(torch.tensor(scale).log2().item() - best) <= 0.125 + 1e-3


def test_a_killed_second_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    told, path = torch.randn(64, 4), tmp_path / "checkpoint.pt"
    whole, resumed = student(), student()
    train_again(whole, told, BASE.images, BASE.labels, AGAIN, job=Job(seed=1))
    with pytest.raises(KeyboardInterrupt):
        train_again(student(), told, BASE.images, BASE.labels, AGAIN, checkpoint_path=path,
                    job=Job(seed=1, progress=killed_in_third_epoch))  # fmt: skip
    train_again(resumed, told, BASE.images, BASE.labels, AGAIN, checkpoint_path=path,
                job=Job(seed=1))  # fmt: skip
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_it_is_a_student_of_its_own_and_trained_once(tmp_path: Path) -> None:
    data = FewShotData("random", BASE, random_split(2, 8, "validation", 1),
                       random_split(2, 8, "novel", 2), "random")  # fmt: skip
    first = BaseStudent(lambda: resnet12(4), replace(FIRST, epochs=1))
    made = BornAgainStudent(first, replace(AGAIN, epochs=1))
    made.check(32)

    def work(stage_0: FewShotData | None = None) -> Workspace:
        return Workspace(data=data, cache=Cache(tmp_path), job=Job(), stage_0=stage_0)

    encoded = made.encode(work())
    assert len(list((tmp_path / "students").glob("*.safetensors"))) == 2  # the first and this
    assert encoded.name == f"{first.name}, born again" and not made.sees_teacher_images
    assert encoded.hash != first.encode(work()).hash
    assert encoded.recipe["training"] and encoded.recipe["again"]
    theirs, own = first.network(work()), made.network(work())
    assert own.mean.equal(theirs.mean) and own.std.equal(theirs.std)
    assert not own.mean.equal(torch.full((3, 1, 1), 0.5))
    assert len(encoded.curve["loss"]) == len(encoded.curve["validation"]) == 1
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert made.encode(work()).hash == encoded.hash
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == files
    heavier = BornAgainStudent(first, replace(AGAIN, epochs=1, weight=0.9))
    assert heavier.encode(work()).hash != encoded.hash
    # base classes of another data set: both trainings take these, and not the table's
    other = replace(data, name="other", train=random_split(3, 16, "else", 3), fingerprint="other")
    elsewhere = made.encode(work(other))
    assert elsewhere.hash != encoded.hash and elsewhere.recipe["trained_on"] == "other"
    alone = made.encode(Workspace(data=other, cache=Cache(tmp_path), job=Job()))
    assert alone.hash == elsewhere.hash


def test_what_cannot_be_is_refused_before_any_training() -> None:
    def pretrained() -> object:
        made = resnet12(4)
        made.pretrained = True
        return made

    with pytest.raises(ValueError, match="pretrained, and only stage 0 is done again"):
        BornAgainStudent(BaseStudent(pretrained, FIRST), AGAIN).check(32)  # type: ignore[arg-type]
    for weight, temperature in ((0.0, 4.0), (1.5, 4.0), (0.5, 0.0)):
        with pytest.raises(ValueError, match="weight above 0 and up to 1 and a temperature above"):
            SelfDistillation(weight=weight, temperature=temperature)
    with pytest.raises(ValueError, match="logits of the first student"):
        train_again(student(), torch.zeros(3, 4), BASE.images, BASE.labels, AGAIN, job=Job())
