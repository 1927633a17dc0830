"""Stage 3: fitting the bridge on base classes, with the student frozen."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.progress import Advance, Progress, silent
from syntrans_l2l.seeds import derived, seeded
from syntrans_l2l.training.precision import Precision, autocast, resolve

SCALE = 16.0  # of cosines in cross-entropies


@dataclass(frozen=True, kw_only=True)
class BridgeTraining:
    """How stage 3 is run; the losses are our reconstruction.

    Args:
        hidden: h of both directions.
        dropout: in both directions.
        condition_on_visual: whether G_sv sees the support's mean.
        both_ways: whether the visual-to-semantic direction is trained too.
        contrast: weight of the cross-entropy of `16 cos(G_sv(s_y), mu_j)` over the base classes'
            centres mu_j: what is made of a class's text is nearest to its own centre.
        cycle: weight of the two cycles.
        epochs: passes over the base features.
        batch_size: features a step.
        learning_rate: of Adam.
        precision: of the bridge's products; losses are always in float32.
    """

    hidden: int = 1024
    dropout: float = 0.0
    condition_on_visual: bool = True
    both_ways: bool = True
    contrast: float = 0.0
    cycle: float = 0.0
    epochs: int = 6
    batch_size: int = 256
    learning_rate: float = 1e-3
    precision: Precision = "auto"

    def key(self, device: torch.device) -> dict[str, object]:
        """What determines the bridge, for cache keys: "auto" is not the same everywhere."""
        return {**asdict(self), "precision": str(resolve(self.precision, device))}


def class_centres(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Normalised means of normalised features: [n, D] and [n] -> [classes, D]."""
    sums = torch.zeros(classes, features.shape[1], device=features.device)
    return F.normalize(sums.index_add_(0, labels, features), dim=-1)


def make_folds(classes: int, folds: int, seed: int) -> list[list[int]]:
    """Divide classes 0 to `classes` - 1 at random into `folds` parts of like size.

    Raises:
        ValueError: fewer classes than folds, or fewer than one fold.
    """
    if not 1 <= folds <= classes:
        raise ValueError(f"folds must be between 1 and the {classes} base classes, got {folds}")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(classes, generator=generator).tolist()
    return [sorted(order[fold::folds]) for fold in range(folds)]


def fit_bridges(
    features: Tensor,
    labels: Tensor,
    semantics: Tensor,
    folds: Sequence[Sequence[int]],
    settings: BridgeTraining,
    *,
    seed: int,
    stage: str,
    progress: Progress = silent,
) -> list[Bridge]:
    """Cross-fitting: the bridge of each fold learns from the classes of all other folds.

    With a single fold there are no others, and it learns from all classes. Each fold has a seed of
    its own, derived from `seed`.
    """
    classes = range(len(semantics))
    kept = [[c for c in classes if len(folds) == 1 or c not in fold] for fold in folds]
    counts = torch.bincount(labels, minlength=len(semantics))
    images = sum(int(counts[part].sum()) for part in kept)
    with progress(stage, total=settings.epochs * images, unit="img") as advance:
        return [
            fit_bridge(
                features,
                labels,
                semantics,
                part,
                settings,
                seed=derived(seed, "bridge", number),
                advance=advance,
            )
            for number, part in enumerate(kept)
        ]


def fit_bridge(
    features: Tensor,
    labels: Tensor,
    semantics: Tensor,
    classes: Sequence[int],
    settings: BridgeTraining,
    *,
    seed: int,
    advance: Advance,
) -> Bridge:
    """Fit a bridge on the images of `classes` only.

    Args:
        features: normalised base features n(z), [n, D].
        labels: [n], base classes.
        semantics: normalised class vectors [B, M].
        classes: the base classes to learn from.
        settings: the recipe.
        seed: of initialisation, order and dropout.
        advance: called with the number of features seen.
    """
    used = torch.tensor(list(classes), device=features.device)
    position = torch.full((len(semantics),), -1, device=features.device)
    position[used] = torch.arange(len(used), device=features.device)
    rows = torch.where(position[labels] >= 0)[0]
    centres = class_centres(features, labels, len(semantics))

    with seeded(seed):
        bridge = Bridge(
            features.shape[1],
            semantics.shape[1],
            settings.hidden,
            settings.dropout,
            settings.condition_on_visual,
        ).to(features.device)
        optimizer = torch.optim.Adam(bridge.parameters(), settings.learning_rate, fused=True)
        total_steps = settings.epochs * math.ceil(len(rows) / settings.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total_steps)
        bridge.train()
        for _ in range(settings.epochs):
            order = rows[torch.randperm(len(rows)).to(rows.device)]
            for batch in order.split(settings.batch_size):
                loss = _loss(bridge, features[batch], labels[batch], semantics, centres, used,
                             position, settings)  # fmt: skip
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                advance(len(batch))
    return bridge.eval().requires_grad_(False)


def _loss(
    bridge: Bridge,
    visual: Tensor,
    labels: Tensor,
    semantics: Tensor,
    centres: Tensor,
    used: Tensor,
    position: Tensor,
    settings: BridgeTraining,
) -> Tensor:
    """The losses of one batch: visual [n, D], labels [n]."""
    target, centre = position[labels], centres[labels]
    dtype = resolve(settings.precision, visual.device)

    def to_visual(semantic: Tensor) -> Tensor:
        with autocast(dtype, visual.device):
            return bridge.to_visual(semantic, visual)

    def to_semantic(visual: Tensor) -> Tensor:
        with autocast(dtype, visual.device):
            return bridge.to_semantic(visual)

    reconstructed = to_visual(semantics[labels])
    loss = (reconstructed - centre).abs().sum(-1).mean()
    if settings.contrast:
        logits = SCALE * reconstructed @ centres[used].T
        loss = loss + settings.contrast * F.cross_entropy(logits, target)
    if settings.both_ways:
        bridged = to_semantic(visual)
        loss = loss + F.cross_entropy(SCALE * bridged @ semantics[used].T, target)
        if settings.cycle:
            there = to_visual(bridged)
            back = to_semantic(reconstructed)
            cycle = (there - centre).abs().sum(-1).mean()
            cycle = cycle + F.cross_entropy(SCALE * back @ semantics[used].T, target)
            loss = loss + settings.cycle * cycle
    return loss
