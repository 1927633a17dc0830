import math
from pathlib import Path
from typing import Any

import pytest
import torch
from common import random_split
from small_student import killed_in_third_epoch, student
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.training.distillation import Distillation, distil, with_projection
from syntrans_l2l.training.features import extract
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.proxy_losses import info_nce, relational_kl, similarity_kl, sinkhorn
from syntrans_l2l.training.proxy_task import Lesson, Losses, ProxyTask

JOB = Job(seed=1)
BASE = random_split(4, 16, "base")
TARGETS = F.normalize(torch.randn(64, 6, generator=torch.Generator().manual_seed(3)), dim=-1)


def settings(**changes: Any) -> Distillation:
    short: dict[str, Any] = {"encoder": "trained", "epochs": 3, "batch_size": 32}
    return Distillation(**{**short, "precision": "float32", **changes})


def weights(
    marks: Tensor | None = None, vectors: Tensor | None = None, **changes: object
) -> Tensor:
    encoder = student()
    distil(encoder, BASE.images, Lesson(TARGETS, marks, vectors), settings(**changes), job=JOB)
    return torch.cat([parameter.flatten() for parameter in encoder.parameters()])


def test_labels_are_not_read_by_default() -> None:
    permuted = BASE.labels[torch.randperm(64, generator=torch.Generator().manual_seed(0))]
    expected = weights()
    assert torch.equal(weights(BASE.labels), expected)
    assert torch.equal(weights(permuted), expected)
    assert not torch.equal(weights(BASE.labels, labels=1.0), weights(permuted, labels=1.0))


def test_the_student_comes_nearer_to_the_teacher() -> None:
    """A teacher that sees colours, on pictures that have one each: something can be learned."""
    generator = torch.Generator().manual_seed(5)
    colours = torch.randint(0, 256, (64, 3), generator=generator).byte()
    images = colours[:, :, None, None].expand(-1, -1, 32, 32).contiguous()
    seen = (colours / 255.0 - 0.5) @ torch.randn(3, 6, generator=generator)
    targets = F.normalize(seen, dim=-1)
    centred = F.normalize(targets - targets.mean(0), dim=-1)

    def distance(epochs: int) -> float:
        encoder = student()
        projection = distil(encoder, images, Lesson(targets),
                            settings(epochs=epochs, jitter=0.0, contrast=0.0), job=JOB)  # fmt: skip
        encoder = with_projection(encoder, projection)
        assert encoder.out_features == 6
        features = F.normalize(extract(encoder, images, job=JOB, precision="float32"))
        return float((features - centred).square().sum(-1).mean())

    assert distance(20) < 0.5 * distance(1)


def test_without_its_projection_the_student_keeps_its_width() -> None:
    encoder = student()
    distil(encoder, BASE.images, Lesson(TARGETS), settings(), job=JOB)
    assert encoder.out_features == student().out_features


@pytest.mark.parametrize("switch", ["relational", "contrast", "prompts", "assignment"])
def test_every_switch_changes_the_student(switch: str) -> None:
    vectors = F.normalize(torch.randn(4, 6, generator=torch.Generator().manual_seed(4)), dim=-1)
    assert not torch.equal(weights(), weights(None, vectors, **{switch: 2.0}))


def test_a_killed_distillation_resumes_to_the_same_bits(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        distil(student(), BASE.images, Lesson(TARGETS), settings(),
               checkpoint_path=tmp_path / "c.pt",
               job=Job(seed=1, progress=killed_in_third_epoch))  # fmt: skip
    resumed = student()
    distil(resumed, BASE.images, Lesson(TARGETS), settings(), job=JOB,
           checkpoint_path=tmp_path / "c.pt")  # fmt: skip
    assert torch.equal(torch.cat([p.flatten() for p in resumed.parameters()]), weights())


def test_losses_by_hand() -> None:
    ours = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    theirs = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    rows = []
    for our, their in zip(ours.tolist(), theirs.tolist(), strict=True):
        p = [math.exp(x / 0.5) for x in their]
        q = [math.exp(x / 0.5) for x in our]
        p, q = [x / sum(p) for x in p], [x / sum(q) for x in q]
        rows.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    assert float(similarity_kl(ours, theirs, 0.5)) == pytest.approx(sum(rows) / 3)
    assert float(relational_kl(ours, ours, 0.5)) == pytest.approx(0, abs=1e-7)
    # a batch of three: each row of likenesses to the two others, ours against theirs
    likeness = [([0, -1], [1, 0]), ([0, 0], [1, 0]), ([-1, 0], [0, 0])]
    expected = sum(
        float(similarity_kl(torch.tensor([a]).float(), torch.tensor([b]).float(), 0.5))
        for a, b in likeness
    )
    assert float(relational_kl(ours, theirs, 0.5)) == pytest.approx(expected / 3)
    own = torch.eye(3)
    assert float(info_nce(own, own, 1.0)) == pytest.approx(-math.log(math.e / (math.e + 2)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="n teacher features"):
        distil(student(), BASE.images, Lesson(TARGETS[:5]), settings(), job=JOB)
    with pytest.raises(ValueError, match=r"text vectors must be \[C, 6\].*same teacher"):
        weights(vectors=torch.ones(4, 5), prompts=1.0)
    with pytest.raises(ValueError, match="needs labels"):
        weights(labels=1.0)
    with pytest.raises(ValueError, match="positive loss weight"):
        Distillation(mimicry=0.0, contrast=0.0)
    with pytest.raises(ValueError, match="'frozen' or 'trained', got 'free'"):
        Distillation(encoder="free")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="for a trained encoder"):
        Distillation(labels=1.0)


def test_sinkhorn_is_the_one_written_out_by_hand() -> None:
    """Columns then rows, three times, in float64; no tensor arithmetic here."""
    scores = torch.rand(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plan = [[math.exp(x / 0.05) for x in row] for row in scores.tolist()]
    for _ in range(3):
        sums = [sum(row[c] for row in plan) for c in range(3)]
        plan = [[x / sums[c] * 2 for c, x in enumerate(row)] for row in plan]  # 6 images, 3 classes
        plan = [[x / sum(row) for x in row] for row in plan]
    torch.testing.assert_close(sinkhorn(scores), torch.tensor(plan, dtype=torch.float64))


def test_an_assignment_is_a_plan_of_transport() -> None:
    """Each image is given away once; after many rounds each prototype has as many images."""
    scores = torch.rand(40, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) / 4
    ones, eights = torch.ones(40).double(), torch.full((5,), 8.0).double()
    torch.testing.assert_close(sinkhorn(scores).sum(1), ones)
    torch.testing.assert_close(sinkhorn(scores, rounds=500).sum(0), eights)
    assert float((sinkhorn(scores).sum(0) - 8).abs().max()) < 1.0
    # however large the scores: nothing overflows
    assert sinkhorn(1000 * scores.float()).isfinite().all()


def test_the_assignment_teaches_the_student_only() -> None:
    """By hand: cross-entropy to the assignment of the images whose class has a text vector."""
    generator = torch.Generator().manual_seed(4)
    vectors = F.normalize(torch.randn(4, 6, generator=generator), dim=-1)
    vectors[2] = torch.nan
    teacher = TARGETS.clone().requires_grad_(True)
    lesson = Lesson(teacher, BASE.labels, vectors)
    only = Losses(mimicry=0.0, contrast=0.0, assignment=1.0)
    task = ProxyTask(lesson, only, torch.device("cpu"))
    ours = F.normalize(torch.randn(64, 6, generator=generator), dim=-1).requires_grad_(True)
    loss = task.loss(ours, torch.arange(64))
    loss.backward()
    assert ours.grad is not None and teacher.grad is None and vectors.grad is None
    named = [row for row in range(64) if BASE.labels[row] != 2]
    known = vectors[[0, 1, 3]]
    plan = sinkhorn(TARGETS[named] @ known.T)
    log_p = (ours[named] @ known.T / 0.1).log_softmax(-1)
    assert float(loss) == pytest.approx(float(-(plan * log_p).sum(-1).mean()), rel=1e-5)
    assert (ours.grad[BASE.labels == 2] == 0).all()


def test_a_lesson_that_lacks_something_is_refused() -> None:
    device, reads = torch.device("cpu"), Losses(assignment=1.0)
    vectors = torch.full((4, 6), torch.nan)
    with pytest.raises(ValueError, match="no base class has a text vector"):
        ProxyTask(Lesson(TARGETS, BASE.labels, vectors), reads, device)
    vectors[0] = 1.0
    with pytest.raises(ValueError, match="need labels"):
        ProxyTask(Lesson(TARGETS, None, vectors), reads, device)
    with pytest.raises(ValueError, match="no image of a base class with text"):
        ProxyTask(Lesson(TARGETS[16:], BASE.labels[16:], vectors), reads, device)
    with pytest.raises(ValueError, match="1 of 64 base images have teacher features"):
        Lesson(torch.where(torch.arange(64)[:, None] == 3, TARGETS, torch.nan)).seen()
    with pytest.raises(ValueError, match="NaN or infinity"):
        ProxyTask(Lesson(TARGETS * torch.nan), Losses(), device)
