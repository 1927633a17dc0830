"""What an experiment finds out before any work."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from syntrans_l2l import FeatureBenchmark, VectorFile
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.cache import Cache
from syntrans_l2l.encoders.given import GivenFeatures
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.experiment.checks import check_data, check_names
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.am3 import Am3
from syntrans_l2l.methods.anil import Anil
from syntrans_l2l.methods.base import Method
from syntrans_l2l.methods.episodic_protonet import EpisodicProtoNet
from syntrans_l2l.methods.maml import Maml
from syntrans_l2l.methods.meta_sgd import MetaSgd
from syntrans_l2l.methods.metaoptnet import MetaOptNet
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.methods.syntrans import SynTransRow
from syntrans_l2l.methods.task_training import TaskTraining
from syntrans_l2l.methods.zero_shot import ZeroShot
from syntrans_l2l.reporting.records import RecordStore
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.distillation import Distillation


def features(folder: Path, counts: tuple[int, int, int], images: int = 22) -> FeatureBenchmark:
    """Random features of so many base, validation and novel classes."""
    classes = sum(counts)
    np.savez(
        folder / "f.npz",
        features=np.random.default_rng(0).normal(size=(classes * images, 8)),
        labels=np.arange(classes).repeat(images),
        class_names=[f"c{c}" for c in range(classes)],
        split=["train"] * counts[0] + ["val"] * counts[1] + ["test"] * counts[2],
    )
    return FeatureBenchmark(folder / "f.npz")


def experiment(dataset: FeatureBenchmark, /, **changes: Any) -> Experiment:
    return Experiment(**{"dataset": dataset, "methods": [ProtoNet("cosine")], **changes})


@pytest.fixture
def dataset(tmp_path: Path) -> FeatureBenchmark:
    return features(tmp_path, (8, 6, 6))


def of(kind: Any, **settings: Any) -> Any:
    """What a gin file makes, which knows no types."""
    return kind(**settings)


def parts(given: Any) -> SynTransRow:
    return SynTransRow(parts=given)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (of(BaseTraining, epochs="60"), "BaseTraining.epochs must be a whole number, got '60'"),
        (of(BaseTraining, epochs=True), "BaseTraining.epochs must be a whole number, got True"),
        (of(BaseTraining, batch_size=0), "BaseTraining.batch_size must be 1 or more, got 0"),
        (of(BaseTraining, learning_rate=math.nan), "BaseTraining.learning_rate must be a number"),
        (of(Distillation, precision="half"), "Distillation.precision must be 'auto' or"),
        (of(Row, method=ProtoNet(), name=5), "Row.name must be a text, got 5"),
        (parts(SynTransSettings), "SynTransRow.parts must be made as by @SynTransSettings()"),
        (parts(of(SynTransSettings, alphas="0.5")), "SynTransSettings.alphas must be a list"),
        (parts(of(SynTransSettings, alphas=[None])), "SynTransSettings.alphas must be a list"),
        (parts(of(SynTransSettings, bridge=of(BridgeTraining, hidden=-1))), "BridgeTraining.hid"),
        (of(Am3, steps=[1.5]), "Am3.steps must be a list, each a whole number, got"),
    ],
)  # fmt: skip
def test_settings_of_rows_and_recipes_are_refused_by_name(
    dataset: FeatureBenchmark, part: Any, message: str
) -> None:
    fields = {BaseTraining: "base_training", Distillation: "distillation"}
    field = fields.get(type(part))
    changes = {field: part} if field else {"methods": [part]}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        experiment(dataset, **changes)


def test_settings_of_other_peoples_rows_are_theirs(dataset: FeatureBenchmark) -> None:
    @dataclass
    class Mine(Method):
        offset: int = -1
        rate: float = None  # type: ignore[assignment]

        def prepare(self, arena: Any, validation: Any) -> Any: ...

    experiment(dataset, methods=[Mine()])
    alphas: Any = np.linspace(0, 1, 5)
    experiment(dataset, methods=[SynTransRow(parts=SynTransSettings(alphas=alphas))])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("shots", value) for value in (["5"], "5", [1.0], [], [0], [-1], [True], None, {1}, 0)),
        *(("ways", value) for value in ("5", 0, 1, 2.0, None)),
        *(("queries", value) for value in ("5", 0, -3)),
        *(("episodes", value) for value in ("5", 0, 1)),
        *(("validation_episodes", value) for value in ("5", 0, 1)),
        ("seed", "a"), ("seed", 0.5), ("training_seed", "a"),
        *(("methods", value) for value in (["x"], "x", [], None, [ProtoNet], [None])),
        *(("comparisons", value) for value in ("ab", ["ab"], [("protonet_cosine",)], [(1, 2)], 3)),
        ("dataset", "x"), ("dataset", FeatureBenchmark), ("student", "x"), ("teacher", 1),
        ("text_encoder", "v.npz"), ("base_training", BaseTraining), ("distillation", 5),
        ("reference", "protonet_cosin"), ("comparisons", [("protonet_cosine", "other")]),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_work_is_refused_by_name(
    dataset: FeatureBenchmark, setting: str, value: object
) -> None:
    with pytest.raises(ValueError, match=rf"^Experiment\.{setting} ") as caught:
        experiment(dataset, **{setting: value})
    assert "\n" not in str(caught.value)


def test_one_number_of_shots_is_told_as_a_list(dataset: FeatureBenchmark) -> None:
    with pytest.raises(
        ValueError, match=r"^Experiment\.shots must be a list such as \[5\], got 5$"
    ):
        experiment(dataset, shots=5)


def test_the_default_reference_needs_no_row(dataset: FeatureBenchmark, tmp_path: Path) -> None:
    experiment(dataset, methods=[ProtoNet("euclidean")]).check(tmp_path)


def test_many_ways_need_novel_classes_only(tmp_path: Path) -> None:
    """Validation counts where a row selects on it, and then at the ways that there are."""
    text = tmp_path / "v.npz"
    dataset = features(tmp_path, (12, 3, 12))
    np.savez(text, class_names=[f"c{c}" for c in range(27)], vectors=np.eye(27))
    selecting = [ProtoNet("cosine"), ZeroShot(shared_space=False)]
    for methods in ([ProtoNet("cosine")], selecting):
        experiment(dataset, methods=methods, ways=12, text_encoder=VectorFile(text)).check(tmp_path)
    with pytest.raises(ValueError, match=r"^test classes: 13 ways asked for, but .* only 12"):
        experiment(dataset, ways=13).check(tmp_path)
    dataset = features(tmp_path, (12, 1, 12))
    experiment(dataset, ways=12).check(tmp_path)
    with pytest.raises(ValueError, match=r"^validation classes: 2 ways .* only 1 classes"):
        experiment(dataset, methods=selecting, text_encoder=VectorFile(text)).check(tmp_path)


def test_what_is_trained_for_one_n_needs_as_many_validation_classes() -> None:
    names = {"train": 20, "validation": 3, "test": 5}
    counts = {split: {f"c{c}": 30 for c in range(count)} for split, count in names.items()}
    sizes = [EpisodeSize(ways=5)]
    check_data([EpisodicProtoNet()], counts, sizes)  # always 20-way
    for method in (Maml(), Anil(), MetaSgd(), MetaOptNet(), EpisodicProtoNet(train_ways=0)):
        with pytest.raises(
            ValueError,
            match=rf"^validation classes: {method.name} is .* 5 ways, .* only 3 .*_every = 0$",
        ):
            check_data([ProtoNet("cosine"), method], counts, sizes)
    check_data([Maml(training=TaskTraining(validate_every=0))], counts, sizes)


def test_the_record_says_at_how_many_ways_was_selected(tmp_path: Path) -> None:
    dataset = features(tmp_path, (8, 3, 6))
    np.savez(tmp_path / "v.npz", class_names=[f"c{c}" for c in range(17)], vectors=np.eye(17))
    methods = [ProtoNet("cosine"), ZeroShot(shared_space=False)]
    made = experiment(dataset, methods=methods, text_encoder=VectorFile(tmp_path / "v.npz"),
                      shots=[1], queries=2, episodes=5, validation_episodes=5)  # fmt: skip
    selected = {
        record.method: record.selected
        for record in made.run(
            root=tmp_path, cache=Cache(tmp_path / "cache"), store=RecordStore(tmp_path / "out"),
            config="", versions={"code": "x"}, device=torch.device("cpu"))
    }  # fmt: skip
    assert "ways" not in selected["protonet_cosine"]
    assert selected["zero_shot_ridge"]["ways"] == 3


def test_rows_that_do_not_fit_are_named(dataset: FeatureBenchmark, tmp_path: Path) -> None:
    text = tmp_path / "v.npz"
    np.savez(text, class_names=["c0"], vectors=np.ones((1, 3)))
    nearest: Any = ProtoNet("cosine")
    rows: list[tuple[dict[str, Any], str]] = [
        ({"methods": [ZeroShot()]}, "zero_shot uses text: bind Experiment.text_encoder"),
        (
            {"methods": [ZeroShot()], "text_encoder": VectorFile(text)},
            "lacks vectors for 19 of 20 classes",
        ),
        (
            {"methods": [Row(method=nearest, encoder="distilled", name="taught")]},
            "taught: this needs a distilled student: bind Experiment.distillation",
        ),
    ]
    for changes, message in rows:
        with pytest.raises(ValueError, match=message):
            experiment(dataset, **changes).check(tmp_path)
    with pytest.raises(ValueError, match=r"Row\.encoder must be one of .*got 'student'"):
        Row(method=nearest, encoder="student")  # type: ignore[arg-type]


def test_sizes_check_themselves() -> None:
    with pytest.raises(ValueError, match=r"^ways must be a whole number of at least 2, got 1$"):
        EpisodeSize(ways=1)


def test_an_encoder_of_several_rows_is_asked_once(
    dataset: FeatureBenchmark, tmp_path: Path
) -> None:
    asked = []

    class Counting(GivenFeatures):
        def check(self, size: int | None) -> None:
            asked.append(size)

    encoder = Counting()
    method: Any = ProtoNet("cosine")
    rows: list[Any] = [Row(method=method, encoder=encoder, name=name) for name in "ab"]
    experiment(dataset, methods=rows).check(tmp_path)
    assert asked == [None]


def test_two_rows_of_one_name_are_told_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"^two rows are called 'protonet': .*Row\(method="):
        check_names(["protonet", "mine", "protonet"], "protonet", [])
    with pytest.raises(ValueError, match="there are no rows"):
        check_names([], "protonet", [])
