"""Fitting the whitened view on base classes, in closed form."""

import torch
from torch import Tensor

from syntrans_l2l.networks.whitening import WhitenedView
from syntrans_l2l.training.bridge import class_centres


def fit_whitened_view(
    features: Tensor,
    labels: Tensor,
    semantics: Tensor | None,
    *,
    classes: int,
    shrinkage: float,
    penalty: float,
) -> WhitenedView:
    """S = (1 - r) S_within + r tr(S_within) / D I, and a ridge from class vectors to centres.

    With r above 0, S is positive definite however few images there are; where no image differs
    from its class's mean, S is the identity.

    Args:
        features: normalised base features n(z), [n, D].
        labels: [n].
        semantics: centred and normalised class vectors [B, M]; None leaves the view visual.
        classes: B.
        shrinkage: r, above 0 and at most 1.
        penalty: of the ridge from class vectors to the whitened class centres.
    """
    width = features.shape[1]
    view = WhitenedView(width, 0 if semantics is None else semantics.shape[1])
    view = view.to(features.device)
    view.mean = features.mean(0)
    view.whitening = _inverse_root(_within(features, labels, classes), shrinkage)
    if semantics is not None:
        centres = class_centres(view(features), labels, classes)
        view.centre = centres.mean(0)
        gram = semantics @ semantics.T + penalty * torch.eye(classes, device=features.device)
        view.mapping = semantics.T @ torch.linalg.solve(gram, centres - view.centre)
    return view.requires_grad_(False).eval()


def _within(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The covariance of features around the means of their classes, [D, D]."""
    sums = torch.zeros(classes, features.shape[1], device=features.device)
    counts = torch.bincount(labels, minlength=classes)
    means = sums.index_add_(0, labels, features) / counts[:, None]
    rest = features - means[labels]
    return rest.T @ rest / len(features)


def _inverse_root(covariance: Tensor, shrinkage: float) -> Tensor:
    """S^-1/2 of the shrunk covariance, [D, D]; in double precision inside."""
    identity = torch.eye(len(covariance), dtype=torch.float64, device=covariance.device)
    level = covariance.trace().double() / len(covariance)
    if level <= 0:
        return identity.to(covariance.dtype)
    shrunk = (1 - shrinkage) * covariance.double() / level + shrinkage * identity
    values, vectors = torch.linalg.eigh(shrunk)  # S / level, which whitens alike
    root: Tensor = vectors * values.rsqrt() @ vectors.T
    return root.to(covariance.dtype)
