"""SynTrans fitted: features, labels and class vectors in, a learn2learn algorithm out."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.algorithms.labelled_features import LabelledFeatures
from syntrans_l2l.algorithms.scoring import Given, episode_scores, to_semantic
from syntrans_l2l.algorithms.selection import Choice, select, selected
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.algorithms.stages import Stages
from syntrans_l2l.cache import Cache, tensor_digest
from syntrans_l2l.episodes.episodes import Episodes, sample_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.training.job import Job

if TYPE_CHECKING:  # it imports learn2learn, which takes seconds
    from syntrans_l2l.algorithms.syntrans import SynTrans

_JOB = Job()


def fit_syntrans(
    base: LabelledFeatures,
    validation: LabelledFeatures,
    settings: SynTransSettings | None = None,
    *,
    shots: int = 1,
    ways: int = 5,
    queries: int = 15,
    episodes: int = 2_000,
    job: Job = _JOB,
    cache: Cache | None = None,
) -> "SynTrans":
    """Fit SynTrans on features of base classes, and select its settings on validation classes.

    Args:
        base: what bridges and classifier are fitted on.
        validation: other classes, of which validation episodes are drawn as learn2learn does.
        settings: what SynTrans is made of.
        shots: K of the tasks that it is for.
        ways: N of them.
        queries: Q of the validation episodes.
        episodes: how many of them.
        job: seed, device and bars.
        cache: keeps what was fitted; None keeps nothing.

    Returns:
        An algorithm for tasks of features, with what was selected as `selected`. Give it the
        class vectors of the tasks' classes by `set_classes_`, and an encoder by `set_encoder_`
        where tasks are made of images.

    Raises:
        ValueError: base and validation do not fit each other, or an episode cannot be drawn.
    """
    size = EpisodeSize(ways=ways, shots=shots, queries=queries, episodes=episodes)
    settings = settings or SynTransSettings()
    _check(base, validation, settings, ways=ways, shots=shots)
    drawn = sample_episodes(validation.split(), size, seed=job.seed, progress=job.progress)
    return fit_on_episodes(base, validation, drawn, settings, job=job, cache=cache)


def fit_on_episodes(
    base: LabelledFeatures,
    validation: LabelledFeatures,
    episodes: Episodes,
    settings: SynTransSettings | None = None,
    *,
    choice: Choice | None = None,
    job: Job = _JOB,
    cache: Cache | None = None,
) -> "SynTrans":
    """`fit_syntrans` with validation episodes that were drawn before.

    Args:
        base: what bridges and classifier are fitted on.
        validation: the classes of `episodes`.
        episodes: alpha, the semantic weight and the use of stage 4 are selected on them.
        settings: what SynTrans is made of.
        choice: what to take instead of selecting it, as controls do.
        job: seed, device and bars.
        cache: keeps what was fitted; None keeps nothing.

    Raises:
        ValueError: base and validation do not fit each other.
    """
    from syntrans_l2l.algorithms.syntrans import SynTrans

    settings = settings or SynTransSettings()
    _check(base, validation, settings, ways=episodes.ways, shots=episodes.shots)
    stages = Stages(base=base, settings=settings, job=job, cache=cache)
    candidates = stages.candidates(ways=episodes.ways, shots=episodes.shots)
    grid = _grid(settings, with_text=base.class_vectors is not None, candidates=len(candidates))
    choice = choice or _chosen(stages, candidates, validation, episodes, grid)
    algorithm = SynTrans(
        torch.nn.Identity(),
        candidates[choice.candidate].requires_grad_(True),
        alpha=choice.alpha,
        semantic_weight=choice.semantic_weight,
        mean=stages.mean,
        left_out=stages.left_out(),
    )
    if (reconstructor := algorithm.classifier.reconstructor) is not None:
        reconstructor.bridges.requires_grad_(False)
    algorithm.choice = choice
    algorithm.selected = selected(
        {
            "alpha": choice.alpha,
            "semantic weight": choice.semantic_weight,
            "stage 4": grid["stage 4"][choice.candidate],
        },
        grid,
        episodes,
    )
    return algorithm.to(job.device).eval()


def _check(
    base: LabelledFeatures,
    validation: LabelledFeatures,
    settings: SynTransSettings,
    *,
    ways: int,
    shots: int,
) -> None:
    """Raise ValueError where the two do not fit each other, the settings or the episodes."""
    widths = base.features.shape[1], validation.features.shape[1]
    if widths[0] != widths[1]:
        raise ValueError(
            f"base features have width {widths[0]}, validation features {widths[1]}: one encoder "
            "must make both"
        )
    vectors, others = base.class_vectors, validation.class_vectors
    if (vectors is None) != (others is None):
        raise ValueError("give class_vectors to base and validation, or to neither")
    if vectors is not None and others is not None and vectors.shape[1] != others.shape[1]:
        raise ValueError(
            f"base class_vectors have width {vectors.shape[1]}, validation's {others.shape[1]}: "
            "one text encoder must make both"
        )
    if len(validation.class_names) < ways:
        raise ValueError(
            f"{ways} ways asked for, but validation has only {len(validation.class_names)} "
            "classes; lower the ways"
        )
    settings.check(base.class_counts(), ways=ways, shots=shots)


def _grid(settings: SynTransSettings, *, with_text: bool, candidates: int) -> dict[str, list[Any]]:
    """What is chosen from; without text there is nothing to mix."""
    both_ways = with_text and settings.bridge.both_ways
    return {
        "alpha": list(settings.alphas) if with_text else [1.0],
        "semantic weight": list(settings.semantic_weights) if both_ways else [0.0],
        "stage 4": ["off", "on"][:candidates],
    }


def _chosen(
    stages: Stages,
    candidates: Sequence[MultimodalClassifier],
    validation: LabelledFeatures,
    episodes: Episodes,
    grid: Mapping[str, Sequence[Any]],
) -> Choice:
    """What validation chooses; cached."""

    def make() -> dict[str, Tensor]:
        features = F.normalize(validation.features.to(stages.job.device), dim=-1)
        bridged = to_semantic(stages.bridges, features)
        vectors = stages.centred(validation.class_vectors)
        given = Given(features, bridged, vectors)
        scores = [episode_scores(candidate, given, episodes) for candidate in candidates]
        chosen = select(scores, episodes, grid["alpha"], grid["semantic weight"])
        return {"choice": torch.tensor(astuple(chosen), dtype=torch.float64)}

    key = {
        **stages.meta_key(ways=episodes.ways, shots=episodes.shots),
        "validation": validation.digest,
        "episodes": tensor_digest(vars(episodes)),
        "grid": grid,
    }
    candidate, alpha, semantic_weight = stages.kept("choices", key, make)["choice"].tolist()
    return Choice(int(candidate), alpha, semantic_weight)
