"""The whitened view, fitted in closed form."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.training.whitening import fit_whitened_view

CLASSES, D, M = 12, 10, 6


def clusters(images: int, width: int = D) -> tuple[Tensor, Tensor]:
    """Classes whose images spread ten times as far along the first direction as elsewhere."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(CLASSES).repeat_interleave(images)
    spread = torch.ones(width)
    spread[0] = 10.0
    centres = torch.randn(CLASSES, width, generator=generator)
    noise = 0.3 * spread * torch.randn(len(labels), width, generator=generator)
    return F.normalize(centres[labels] + noise, dim=-1), labels


def test_without_shrinkage_images_of_a_class_vary_alike_in_all_directions() -> None:
    features, labels = clusters(200)
    view = fit_whitened_view(features, labels, None, classes=CLASSES, shrinkage=1e-6, penalty=1.0)
    means = torch.stack([features[labels == c].mean(0) for c in range(CLASSES)])
    rest = (features - means[labels]) @ view.whitening
    covariance = rest.T @ rest / len(rest)
    level = covariance.trace() / D
    torch.testing.assert_close(covariance, level * torch.eye(D), atol=1e-3, rtol=0)


@pytest.mark.parametrize("images", [1, 2])
def test_fewer_images_than_directions_stay_finite(images: int) -> None:
    """The covariance has no full rank, and with one image a class it is zero."""
    features, labels = clusters(images, width=64)
    view = fit_whitened_view(features, labels, None, classes=CLASSES, shrinkage=0.3, penalty=1.0)
    values = torch.linalg.eigvalsh(view.whitening)
    assert bool(values.isfinite().all()) and float(values.min()) > 0
    torch.testing.assert_close(view(features).norm(dim=-1), torch.ones(len(features)))


def test_text_that_says_where_a_class_lies_is_carried_over() -> None:
    """Of classes it was not fitted on: class vectors are the whitened centres, turned."""
    features, labels = clusters(100)
    kept = labels < 11
    plain = fit_whitened_view(features, labels, None, classes=CLASSES, shrinkage=0.3, penalty=1.0)
    centres = torch.stack([plain(features[labels == c]).mean(0) for c in range(CLASSES)])
    turn = torch.linalg.qr(torch.randn(D, D, generator=torch.Generator().manual_seed(1)))[0]
    vectors = centres @ turn
    fitted = fit_whitened_view(
        features[kept], labels[kept], vectors[:11], classes=11, shrinkage=0.3, penalty=1e-4
    )
    there = fitted(features[~kept]).mean(0)
    made = fitted.of_text(vectors)
    assert int((made @ there).argmax()) == 11
    assert float(F.cosine_similarity(made[11], there, dim=0)) > 0.8
