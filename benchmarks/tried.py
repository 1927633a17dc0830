"""What was tried in stages 3 and 4 and lost, measured on validation classes only.

    python benchmarks/tried.py features.safetensors vectors.npz

Features are a file as `FeatureBenchmark` reads it, vectors one as `VectorFile` does. Every mix is
chosen on a random half of the validation classes and measured on the other half; test classes are
never looked at. Some minutes on two CPU cores.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tried_rules import (
    Chooser,
    equal_spreads,
    half_a_percent,
    hard,
    soft,
    unselected,
    view_by_its_own_gain,
)

from syntrans_l2l.algorithms.labelled_features import LabelledFeatures
from syntrans_l2l.algorithms.mixing import MIX
from syntrans_l2l.algorithms.scoring import episode_scores, given_of
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.algorithms.stages import Stages
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.episodes.episodes import Episodes, sample_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.evaluation.statistics import episode_accuracies, standard_error
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import FusedCosines, Scores
from syntrans_l2l.networks.whitening import WhitenedView
from syntrans_l2l.reporting.grid import Grid
from syntrans_l2l.reporting.render import markdown
from syntrans_l2l.semantics.text_encoder import VectorFile
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.meta import meta_train
from syntrans_l2l.training.whitening import fit_whitened_view

RHO = 0.6  # of novel-like features: ProtoNet is then as good on base as on validation classes


def parts(features: Path, vectors: Path, cache: Cache) -> list[LabelledFeatures]:
    """Base classes and validation classes."""
    data, made = FeatureBenchmark(features.absolute()).load(Path(), cache), []
    for split in (data.train, data.validation):
        table = VectorFile(str(vectors)).encode_classes(split.class_names).vectors
        made.append(LabelledFeatures(split.images, split.labels, table, split.class_names))
    return made


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


@dataclass(frozen=True)
class Trial:
    """One way to end in a classifier.

    Args:
        name: of its row.
        classifier: what gives the weights.
        view: the whitened view.
        changes: of the settings, for the grid.
        chooser: how a mix is chosen.
        changed: what is done to the scores first.
    """

    name: str
    classifier: MultimodalClassifier
    view: WhitenedView | None
    changes: Mapping[str, Sequence[float]] = field(default_factory=dict)
    chooser: Chooser = soft
    changed: Callable[[Scores], Scores] = lambda scores: scores


def view_without_text(scores: Scores) -> Scores:
    """The mean of the whitened shots alone, whatever alpha is."""
    assert scores.whitened is not None
    visual = scores.whitened.visual
    agreement = torch.ones_like(scores.whitened.agreement)
    return replace(scores, whitened=FusedCosines(visual, visual, agreement))


@dataclass(frozen=True)
class Gated(FusedCosines):
    """Each class has an alpha of its own, by how well its shots and its text agree.

    Args:
        slope: of alpha, over the agreement of w_v with w_s.
        centre: the agreement at which alpha is what the mix says.
    """

    slope: float
    centre: float

    def at(self, alpha: Tensor | float) -> Tensor:
        return super().at((alpha + self.slope * (self.agreement - self.centre)).clamp(0, 1))

    def map(self, change: Callable[[Tensor], Tensor]) -> FusedCosines:
        return Gated(**vars(super().map(change)), slope=self.slope, centre=self.centre)


def gated(scores: Scores, slope: float) -> Scores:
    """The plain view with an alpha for each class."""
    plain = scores.plain
    return replace(
        scores, plain=Gated(**vars(plain), slope=slope, centre=float(plain.agreement.mean()))
    )


def trials(stages: Stages, shots: int) -> list[Trial]:
    """All that was tried at one number of shots; the first is what the package does."""
    plain, view = stages.initial(), stages.view
    tried = partial(Trial, classifier=plain, view=view)
    text_out = {"alphas": (1.0,), "semantic_weights": (0.0,)}
    found = [
        tried("two views (chosen)"),
        tried("one view", changes={"whitened_weights": (0.0,)}),
        tried("the second view without text", changed=view_without_text),
        tried("the second view by its own gain", chooser=view_by_its_own_gain),
        tried("hard selection", chooser=hard),
        tried("all within half a percent", chooser=half_a_percent),
        tried("mixes scaled to equal spreads", chooser=equal_spreads),
        tried("no selection", chooser=unselected),
        tried("no text", changes=text_out),
        tried("only the whitened view, no text",
              changes={**text_out, "whitened_weights": (1e6,)}, chooser=unselected),
    ]  # fmt: skip
    for slope in (-1.0, -0.5, 0.5, 1.0):
        name = f"alpha by agreement, slope {slope}"
        found.append(tried(name, changed=partial(gated, slope=slope)))
    for shrinkage in (0.1, 0.6, 1.0):
        other = fit_whitened_view(
            stages.features, stages.base.labels, stages.centred(stages.base.class_vectors),
            classes=len(stages.base.class_names), shrinkage=shrinkage,
            penalty=stages.settings.penalty,
        )  # fmt: skip
        name = "second view only centred" if shrinkage == 1.0 else f"shrinkage {shrinkage}"
        found.append(tried(name, view=other))
    trained = stages.meta_trained(ways=5, shots=shots)
    found.append(tried("stage 4", classifier=trained))
    known_less = novel_like(stages, shots)
    return [*found, tried(f"stage 4 on novel-like features, rho {RHO}", classifier=known_less)]


def halved(
    validation: LabelledFeatures, size: EpisodeSize, seed: int
) -> list[tuple[LabelledFeatures, Episodes]]:
    """Two random halves of the classes, each with episodes of its own."""
    order = torch.randperm(
        len(validation.class_names), generator=torch.Generator().manual_seed(seed)
    ).tolist()
    halves = [_only(validation, sorted(order[first::2])) for first in (0, 1)]
    return [(half, sample_episodes(half.split(), size, seed=seed)) for half in halves]


def crossed(
    trial: Trial, stages: Stages, halves: Sequence[tuple[LabelledFeatures, Episodes]]
) -> list[float]:
    """Accuracy on each half with what the other half chose."""
    taken = vars(replace(stages.settings, aligned_weights=(0.0,), **trial.changes))  # type: ignore[arg-type]
    grid = {name: taken[name.replace(" ", "_") + "s"] for name in MIX}
    scores = []
    for half, episodes in halves:
        given = given_of(
            F.normalize(half.features, dim=-1), stages.centred(half.class_vectors),
            bridges=stages.bridges, view=trial.view, aligned=None,
        )  # fmt: skip
        scores.append(trial.changed(episode_scores(trial.classifier, given, episodes)))
    found = []
    for chosen_on, measured_on in ((0, 1), (1, 0)):
        mix = trial.chooser(scores[chosen_on], halves[chosen_on][1], grid)
        episodes = halves[measured_on][1]
        logits = scores[measured_on].logits(mix)
        found.append(float(episode_accuracies(logits, episodes.query_labels()).mean()))
    return found


def table(stages: Stages, validation: LabelledFeatures, size: EpisodeSize, halvings: int) -> Grid:
    """A row for each trial: its accuracy, and the difference to what the package does."""
    divisions = [halved(validation, size, seed) for seed in range(halvings)]
    rows, chosen = list[list[str]](), torch.empty(0)
    for trial in trials(stages, size.shots):
        cells = [cell for halves in divisions for cell in crossed(trial, stages, halves)]
        found = torch.tensor(cells, dtype=torch.float64)
        chosen = chosen if rows else found
        gain = found - chosen
        row = [f"{float(found.mean()):.2f}", f"{float(gain.mean()):+.2f}"]
        rows.append([trial.name, *row, f"{standard_error(gain):.2f}"])
    rows[0][2:] = ["–", "–"]
    caption = (
        f"{size.shots}-shot accuracy on half of the validation classes with what the other half "
        f"chose: mean of {2 * halvings} halves, and the standard error of the difference."
    )
    header = ["tried", "accuracy", "minus the first row", "standard error"]
    return Grid(caption=caption, header=header, sections=[rows])


def main(argv: Sequence[str] | None = None) -> int:
    """Fit once, and print a table a number of shots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("features", type=Path)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--episodes", type=int, default=500, help="of each half (500)")
    parser.add_argument("--halvings", type=int, default=5, help="of the classes (5)")
    arguments = parser.parse_args(argv)
    try:
        with TemporaryDirectory() as folder:
            cache = Cache(Path(folder))
            base, validation = parts(arguments.features, arguments.vectors, cache)
            stages = Stages(base=base, settings=SynTransSettings(), job=Job(), cache=cache)
            for shots in (1, 5):
                size = EpisodeSize(shots=shots, episodes=arguments.episodes)
                print(markdown([table(stages, validation, size, arguments.halvings)]))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
