"""SynTrans fitted: features, labels and class vectors in, a learn2learn algorithm out."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.algorithms.fitting_checks import check_fit
from syntrans_l2l.algorithms.labelled_features import LabelledFeatures
from syntrans_l2l.algorithms.mixing import MIX, STAGE_4, Choice, Selection, select
from syntrans_l2l.algorithms.parts import FittedParts
from syntrans_l2l.algorithms.scoring import episode_scores, given_of
from syntrans_l2l.algorithms.selection import selected
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.algorithms.stages import Stages
from syntrans_l2l.cache import Cache, tensor_digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.episodes.episodes import Episodes, sample_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.networks.fusion import Mix
from syntrans_l2l.training.job import Job

if TYPE_CHECKING:  # it imports learn2learn, which takes seconds
    from syntrans_l2l.algorithms.syntrans import SynTrans

logger = logging.getLogger(__name__)
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
    check_fit(base, validation, settings, ways=ways, shots=shots)
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
        episodes: the mix of the parts and the use of stage 4 are selected on them.
        settings: what SynTrans is made of.
        choice: what to take instead of selecting it, as controls do.
        job: seed, device and bars.
        cache: keeps what was fitted; None keeps nothing.

    Raises:
        ValueError: base and validation do not fit each other.
    """
    settings = settings or SynTransSettings()
    check_fit(base, validation, settings, ways=episodes.ways, shots=episodes.shots)
    stages = Stages(base=base, settings=settings, job=job, cache=cache)
    grid = _grid(stages, validation)
    accuracy: dict[str, list[float]] = {}
    if choice is None:
        selection = _selection(stages, validation, episodes, grid)
        choice, accuracy = selection.choice, selection.curves(grid)
        _warn_at_edges(accuracy, grid)
    algorithm = _made(stages, choice, episodes)
    values = dict(zip(MIX, vars(choice.mix).values(), strict=True))
    values[STAGE_4] = grid[STAGE_4][choice.candidate]
    algorithm.selected = selected(values, grid, episodes)
    algorithm.selected["rule"] = settings.selection
    if accuracy:
        algorithm.selected["accuracy"] = accuracy
    return algorithm.to(job.device).eval()


def _made(stages: Stages, choice: Choice, episodes: Episodes) -> "SynTrans":
    """The algorithm of a choice; stage 4 runs only where the choice takes it."""
    from syntrans_l2l.algorithms.syntrans import SynTrans

    size, mix = {"ways": episodes.ways, "shots": episodes.shots}, choice.mix
    algorithm = SynTrans(
        torch.nn.Identity(),
        stages.candidate(choice.candidate, **size).requires_grad_(True),
        mix=mix,
        fitted=FittedParts(
            mean=stages.mean,
            left_out=stages.left_out(),
            view=stages.view if mix.whitened_weight else None,
        ),
    )
    if (reconstructor := algorithm.classifier.reconstructor) is not None:
        reconstructor.bridges.requires_grad_(False)
    algorithm.choice = choice
    return algorithm


def _grid(stages: Stages, validation: LabelledFeatures) -> dict[str, list[Any]]:
    """What is chosen from; a part that there is not has the weight 0, alpha without text is 1."""
    settings, with_text = stages.settings, stages.base.class_vectors is not None
    both_ways = with_text and settings.bridge.both_ways
    shared = validation.aligned is not None
    values: list[list[float]] = [
        list(settings.alphas) if with_text else [1.0],
        list(settings.semantic_weights) if both_ways else [0.0],
        list(settings.whitened_weights),
        list(settings.aligned_weights) if shared else [0.0],
    ]
    return {**dict(zip(MIX, values, strict=True)), STAGE_4: stages.candidates}


def _selection(
    stages: Stages,
    validation: LabelledFeatures,
    episodes: Episodes,
    grid: Mapping[str, Sequence[Any]],
) -> Selection:
    """What validation chooses; cached."""
    size = {"ways": episodes.ways, "shots": episodes.shots}

    def make() -> dict[str, Tensor]:
        features = F.normalize(validation.features.to(stages.job.device), dim=-1)
        given = given_of(
            features,
            stages.centred(validation.class_vectors),
            bridges=stages.bridges,
            view=stages.view,
            aligned=validation.aligned,
        )
        scores = [
            episode_scores(stages.candidate(place, **size), given, episodes)
            for place in range(len(stages.candidates))
        ]
        found = select(scores, episodes, grid, stages.settings.selection)
        numbers = [found.choice.candidate, *vars(found.choice.mix).values()]
        return {
            "choice": torch.tensor(numbers, dtype=torch.float64),
            "accuracies": found.accuracies,
        }

    key = {
        **stages.meta_key(**size),
        "view": [stages.settings.shrinkage, stages.settings.penalty],
        "validation": validation.digest,
        "episodes": tensor_digest(vars(episodes)),
        "grid": grid,
        "rule": stages.settings.selection,
        "scored_by": code_digest(__name__),
    }
    kept = stages.kept("choices", key, make)
    candidate, *weights = kept["choice"].tolist()
    return Selection(Choice(int(candidate), Mix(*weights)), kept["accuracies"])


def _warn_at_edges(
    accuracy: Mapping[str, Sequence[float]], grid: Mapping[str, Sequence[Any]]
) -> None:
    """Say in the log where a weight does best at the upper end of its grid.

    Not of the whitened view: at the last of its weights it stands next to alone, as at an end of
    alpha.

    Args:
        accuracy: on validation, for each value of each setting; see `Selection.curves`.
        grid: the values.
    """
    for name in ("semantic weight", "aligned weight"):
        curve = accuracy.get(name, [0.0])
        if max(curve[:-1], default=curve[-1]) < curve[-1]:
            logger.warning(
                "validation does best with the highest %s of its grid, %g; set higher values in "
                "SynTransSettings.%s too",
                name,
                grid[name][-1],
                name.replace(" ", "_") + "s",
            )
