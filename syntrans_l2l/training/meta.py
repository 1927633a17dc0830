"""Stage 4: meta-training of the classifier on fake-novel episodes of base classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.progress import Advance


@dataclass(frozen=True, kw_only=True)
class MetaTraining:
    """How stage 4 is run.

    Args:
        iterations: steps; 0 leaves the classifier as it starts.
        batch_size: episodes a step.
        queries: Q of the training episodes.
        learning_rate: of Adam, falling to zero along a cosine.
        weight_decay: of Adam, decoupled.
    """

    iterations: int = 400
    batch_size: int = 16
    queries: int = 10
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4


def meta_train(
    classifier: MultimodalClassifier,
    features: Tensor,
    labels: Tensor,
    semantics: Tensor | None,
    folds: Sequence[Sequence[int]],
    settings: MetaTraining,
    *,
    ways: int,
    shots: int,
    seed: int,
    advance: Advance,
) -> None:
    """Train `classifier` in place and leave it frozen, in eval mode.

    The classes of each step's episodes all come from one fold, whose bridge has not seen them
    (where there is one fold only, it has). Training the reconstructor on classes that its bridge
    was fitted on cost 4.8 points at 1 shot in a trial before this package.

    Args:
        classifier: to train.
        features: normalised base features [n, D].
        labels: [n].
        semantics: normalised class vectors [B, M]; None for a visual classifier.
        folds: classes of each fold.
        settings: the recipe.
        ways: N, at most the classes of the smallest fold.
        shots: K.
        seed: of the episodes.
        advance: called with the number of steps done.

    Raises:
        ValueError: as `check_meta_training`.
    """
    check_meta_training(labels.bincount().tolist(), folds, settings, ways=ways, shots=shots)
    generator = torch.Generator().manual_seed(seed)
    members = [torch.where(labels.cpu() == c)[0] for c in range(int(labels.max()) + 1)]
    trained = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(settings.iterations, 1))
    targets = torch.arange(ways, device=features.device).repeat_interleave(settings.queries)
    targets = targets.repeat(settings.batch_size)
    for step in range(settings.iterations):
        fold = step % len(folds)
        own, rows = draw_episodes(folds[fold], members, ways, shots + settings.queries,
                          settings.batch_size, generator)  # fmt: skip
        own, rows = own.to(features.device), rows.to(features.device)
        images = features[rows]  # [E, N, K + Q, D]
        logits = classifier(
            images[:, :, :shots],
            images[:, :, shots:].flatten(1, 2),
            None if semantics is None else semantics[own],
            own,
            fold,
        )
        loss = F.cross_entropy(logits.flatten(0, 1), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        advance(1)
    classifier.eval().requires_grad_(False)


def check_meta_training(
    images: Sequence[int],
    folds: Sequence[Sequence[int]],
    settings: MetaTraining,
    *,
    ways: int,
    shots: int,
) -> None:
    """Find out beforehand whether the episodes of stage 4 can be drawn.

    Args:
        images: of each base class.
        folds: classes of each fold.
        settings: the recipe.
        ways: N.
        shots: K.

    Raises:
        ValueError: a fold has fewer classes than `ways`, or a class too few images.
    """
    smallest = min(len(fold) for fold in folds)
    if smallest < ways:
        raise ValueError(
            f"{ways}-way meta-training needs {ways} base classes a fold, but {len(folds)} folds "
            f"leave {smallest}; use fewer folds (SynTransSettings.folds)"
        )
    needed, fewest = shots + settings.queries, min(images)
    if fewest < needed:
        raise ValueError(
            f"meta-training needs {shots} + {settings.queries} images of a base class, but one has "
            f"{fewest}; lower MetaTraining.queries"
        )


def draw_episodes(
    classes: Sequence[int],
    members: Sequence[Tensor],
    ways: int,
    samples: int,
    episodes: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Class ids [E, N] and image rows [E, N, samples], both without replacement."""
    pool = torch.tensor(list(classes))
    chosen = torch.rand(episodes, len(pool), generator=generator).topk(ways).indices
    own = pool[chosen]
    rows = torch.empty(episodes, ways, samples, dtype=torch.int64)
    for place, class_id in enumerate(own.flatten().tolist()):
        images = members[class_id]
        order = torch.randperm(len(images), generator=generator)[:samples]
        rows[place // ways, place % ways] = images[order]
    return own, rows
