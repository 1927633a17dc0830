"""What was tried in stages 3 and 4 and lost, measured on validation classes only.

    python benchmarks/tried.py features.safetensors vectors.npz

Features are a file as `FeatureBenchmark` reads it, vectors one as `VectorFile` does. Every part is
chosen on one half of the validation classes and measured on the other, both ways; test classes
are never looked at. Some minutes on two CPU cores.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from syntrans_l2l.algorithms.labelled_features import LabelledFeatures
from syntrans_l2l.algorithms.mixing import MIX, Rule, select
from syntrans_l2l.algorithms.scoring import Given, episode_scores, given_of
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.algorithms.stages import Stages
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.features import FeatureBenchmark
from syntrans_l2l.episodes.episodes import Episodes, sample_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.evaluation.statistics import episode_accuracies
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix, Scores
from syntrans_l2l.networks.whitening import WhitenedView
from syntrans_l2l.reporting.grid import Grid
from syntrans_l2l.reporting.terminal import terminal
from syntrans_l2l.semantics.text_encoder import VectorFile
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.meta import meta_train
from syntrans_l2l.training.whitening import fit_whitened_view

RHO = 0.6  # of novel-like features: ProtoNet is then as good on base as on validation classes
Halves = Sequence[tuple[Given, Episodes]]


def parts(features: Path, vectors: Path, cache: Cache) -> tuple[LabelledFeatures, ...]:
    """Base classes, and the two halves of the validation classes."""
    data, made = FeatureBenchmark(features.absolute()).load(Path(), cache), []
    for split in (data.train, data.validation):
        table = VectorFile(str(vectors)).encode_classes(split.class_names).vectors
        made.append(LabelledFeatures(split.images, split.labels, table, split.class_names))
    base, validation = made
    count = len(validation.class_names)
    return base, *(_only(validation, range(first, count, 2)) for first in (0, 1))


def _only(given: LabelledFeatures, classes: Sequence[int]) -> LabelledFeatures:
    """Some of the classes."""
    assert given.class_vectors is not None
    place = torch.full((len(given.class_names),), -1)
    place[list(classes)] = torch.arange(len(classes))
    rows = torch.where(place[given.labels] >= 0)[0]
    names = [given.class_names[c] for c in classes]
    vectors = given.class_vectors[list(classes)]
    return LabelledFeatures(given.features[rows], place[given.labels[rows]], vectors, names)


def novel_like(stages: Stages, shots: int) -> MultimodalClassifier:
    """Stage 4 on n(z - (1 - rho)(mu_y - mu)), which a student knows as little as novel classes."""
    features, labels = stages.features, stages.base.labels
    sums = torch.zeros(len(stages.base.class_names), features.shape[1])
    means = sums.index_add_(0, labels, features) / torch.bincount(labels)[:, None]
    moved = F.normalize(features - (1 - RHO) * (means[labels] - features.mean(0)), dim=-1)
    classifier, settings = stages.initial(), stages.settings.meta
    vectors = stages.centred(stages.base.class_vectors)
    meta_train(classifier, moved, labels, vectors, stages.folds, settings,
               ways=5, shots=shots, seed=0, advance=lambda steps: None)  # fmt: skip
    return classifier


def crossed(
    scores: Sequence[Scores],
    halves: Halves,
    grid: Mapping[str, Sequence[float]],
    rule: Rule | Literal["half a percent"],
) -> float:
    """Accuracy on each half with what the other half chose, averaged."""
    found = []
    for chosen_on, measured_on in ((0, 1), (1, 0)):
        given = [scores[chosen_on]], halves[chosen_on][1], grid
        mix = (
            half_a_percent(*given) if rule == "half a percent" else select(*given, rule).choice.mix
        )
        found.append(_accuracy(scores[measured_on].logits(mix), halves[measured_on][1]))
    return sum(found) / len(found)


def half_a_percent(
    scores: Sequence[Scores], episodes: Episodes, grid: Mapping[str, Sequence[float]]
) -> Mix:
    """The mean of all mixes within half a percent of the best, their weights as they are."""
    accuracies = select(scores, episodes, grid, "hard").accuracies.flatten()
    mixes = torch.tensor(list(product(*(grid[name] for name in MIX))))
    return Mix(*mixes[accuracies >= accuracies.max() - 0.5].mean(0).tolist())


def _accuracy(logits: Tensor, episodes: Episodes) -> float:
    return float(episode_accuracies(logits, episodes.query_labels()).mean())


def rows(stages: Stages, validation: Sequence[LabelledFeatures], shots: int, count: int) -> Grid:
    """All that was tried at one number of shots."""
    settings = stages.settings
    size = EpisodeSize(shots=shots, episodes=count)
    episodes = [sample_episodes(each.split(), size, seed=0) for each in validation]

    def halves(view: WhitenedView | None) -> Halves:
        given = [
            given_of(F.normalize(each.features, dim=-1), stages.centred(each.class_vectors),
                     bridges=stages.bridges, view=view, aligned=None)
            for each in validation
        ]  # fmt: skip
        return list(zip(given, episodes, strict=True))

    def grid(**changes: Sequence[float]) -> dict[str, Sequence[float]]:
        taken = vars(replace(settings, aligned_weights=(0.0,), **changes))  # type: ignore[arg-type]
        return {name: taken[name.replace(" ", "_") + "s"] for name in MIX}

    def scored(classifier: MultimodalClassifier, within: Halves) -> list[Scores]:
        return [episode_scores(classifier, given, each) for given, each in within]

    plain, both = stages.initial(), halves(stages.view)
    two_views = scored(plain, both)
    found: list[tuple[str, float]] = [
        ("two views (chosen)", crossed(two_views, both, grid(), "soft")),
        ("one view", crossed(two_views, both, grid(whitened_weights=(0.0,)), "soft")),
        ("hard selection", crossed(two_views, both, grid(), "hard")),
        ("all within half a percent", crossed(two_views, both, grid(), "half a percent")),
        ("no selection", crossed(two_views, both, grid(), "none")),
        ("no text", crossed(two_views, both, grid(alphas=(1.0,), semantic_weights=(0.0,)), "soft")),
    ]
    semantics = stages.centred(stages.base.class_vectors)
    for shrinkage in (0.1, 0.6, 1.0):
        view = fit_whitened_view(
            stages.features, stages.base.labels, semantics,
            classes=len(stages.base.class_names), shrinkage=shrinkage, penalty=settings.penalty,
        )  # fmt: skip
        within = halves(view)
        name = "second view only centred" if shrinkage == 1.0 else f"shrinkage {shrinkage}"
        found.append((name, crossed(scored(plain, within), within, grid(), "soft")))
    for name, classifier in (
        ("stage 4", stages.meta_trained(ways=5, shots=shots)),
        (f"stage 4 on novel-like features, rho {RHO}", novel_like(stages, shots)),
    ):
        found.append((name, crossed(scored(classifier, both), both, grid(), "soft")))
    only_view = [_accuracy(each.logits(Mix(1.0, 0.0, 1e6)), drawn) for each, (_, drawn) in
                 zip(two_views, both, strict=True)]  # fmt: skip
    found.append(("whitened view instead of the plain one, no text", sum(only_view) / 2))
    caption = f"{shots}-shot accuracy, chosen on half of the validation classes, on the other half"
    return Grid(caption=caption, header=["tried", "accuracy"],
                sections=[[[name, f"{accuracy:.2f}"] for name, accuracy in found]])  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Fit once, and print a table a number of shots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("features", type=Path)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--episodes", type=int, default=500, help="of each half (500)")
    arguments = parser.parse_args(argv)
    try:
        with TemporaryDirectory() as folder:
            cache = Cache(Path(folder))
            base, *validation = parts(arguments.features, arguments.vectors, cache)
            stages = Stages(base=base, settings=SynTransSettings(), job=Job(), cache=cache)
            for shots in (1, 5):
                print(terminal([rows(stages, validation, shots, arguments.episodes)]))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
