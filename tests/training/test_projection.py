"""Stage 1 on a frozen encoder: a projection, learned on features."""

import pytest
import torch
from torch.nn import functional as F

from syntrans_l2l.training.job import Job
from syntrans_l2l.training.projection import Projection, ProjectionTraining, fit_projection
from syntrans_l2l.training.proxy_task import Lesson, Losses

JOB = Job(seed=1)
GENERATOR = torch.Generator().manual_seed(0)
MAP = torch.randn(12, 6, generator=GENERATOR)
FEATURES = torch.randn(400, 12, generator=GENERATOR)
TARGETS = F.normalize(FEATURES @ MAP + 3.0, dim=-1)  # images lie far from the origin, as CLIP's do
SHORT = ProjectionTraining(epochs=75, learning_rate=1e-2)


def distance(projection: Projection) -> float:
    """Of images that the fit has not seen, to their centred teacher features."""
    unseen = torch.randn(200, 12, generator=torch.Generator().manual_seed(9))
    theirs = F.normalize(unseen @ MAP + 3.0, dim=-1)
    centred = F.normalize(theirs - TARGETS.mean(0), dim=-1)
    return float((projection(unseen) - centred).square().sum(-1).mean())


@pytest.mark.parametrize("hidden", [None, 32])
@pytest.mark.parametrize("loss", ["mimicry", "contrast", "relational"])
def test_it_leads_into_the_teachers_space(loss: str, hidden: int | None) -> None:
    """All losses work frozen. A relational one fixes the space but for a rotation of it."""
    losses = Losses(**{"mimicry": 0.0, "contrast": 0.0, "relational": 0.0, loss: 1.0})
    recipe = ProjectionTraining(hidden=hidden, epochs=75, learning_rate=1e-2)
    projection = fit_projection(FEATURES, Lesson(TARGETS), losses, recipe, job=JOB)
    torch.testing.assert_close(projection(FEATURES).norm(dim=-1), torch.ones(400))
    if loss == "relational":
        ours = projection(FEATURES)
        theirs = F.normalize(TARGETS - TARGETS.mean(0), dim=-1)
        assert float((ours @ ours.T - theirs @ theirs.T).square().mean()) < 0.05
    else:
        assert distance(projection) < 0.3
        other = Lesson(TARGETS[torch.randperm(400, generator=torch.Generator().manual_seed(0))])
        wrong = fit_projection(FEATURES, other, losses, recipe, job=JOB)
        assert distance(wrong) > 1.0


def test_the_seed_decides_the_bits() -> None:
    def weights(seed: int) -> torch.Tensor:
        job = Job(seed=seed)
        made = fit_projection(FEATURES, Lesson(TARGETS), Losses(), SHORT, job=job)
        return torch.cat([each.flatten() for each in made.state_dict().values()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_images_without_teacher_features_count_for_nothing() -> None:
    """A row of NaN is a row less, and the features given may be of any length."""
    some = TARGETS.clone()
    some[200:] = torch.nan
    expected = fit_projection(FEATURES[:200], Lesson(TARGETS[:200]), Losses(), SHORT, job=JOB)
    made = fit_projection(7 * FEATURES, Lesson(some), Losses(), SHORT, job=JOB)
    torch.testing.assert_close(made(FEATURES), expected(FEATURES), atol=1e-4, rtol=1e-4)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="400 teacher features need as many features"):
        fit_projection(FEATURES[:5], Lesson(TARGETS), Losses(), SHORT, job=JOB)
    with pytest.raises(ValueError, match="0 of 400 base images have teacher features"):
        fit_projection(FEATURES, Lesson(TARGETS * torch.nan), Losses(), SHORT, job=JOB)
    vectors = torch.ones(4, 5)
    with pytest.raises(ValueError, match=r"text vectors must be \[C, 6\].*same teacher"):
        fit_projection(FEATURES, Lesson(TARGETS, None, vectors), Losses(prompts=1.0), SHORT,
                       job=JOB)  # fmt: skip
    with pytest.raises(ValueError, match="ProjectionTraining needs one epoch or more"):
        ProjectionTraining(epochs=0)
