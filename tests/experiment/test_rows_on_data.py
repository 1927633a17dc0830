"""Rows on data from Python: the same walk as the command's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from common import SPLITS, random_split, write_archive
from easyfsl.methods import PrototypicalNetworks
from torch import Tensor

import syntrans_l2l as sl
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.datasets.features import feature_data
from syntrans_l2l.experiment.evaluate import bar
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.methods.task_training import TaskTraining
from syntrans_l2l.reporting.records import RecordStore

CLASSES = 18
NAMES = [f"class {number}" for number in range(CLASSES)]
OF = ["train"] * 6 + ["val"] * 6 + ["test"] * 6
SMALL: dict[str, Any] = {
    "episodes": 120, "validation_episodes": 40, "queries": 5, "shots": (1, 2), "progress": False,
}  # fmt: skip


@sl.row(uses_text=True)
def mixed(support: Tensor, query: Tensor, text: Tensor) -> Tensor:
    return query @ support.mean(2).mT


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTRANS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SYNTRANS_CACHE", raising=False)


def arrays() -> tuple[Any, Any]:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 20)
    centres = generator.normal(size=(CLASSES, 8))
    return centres[labels] + generator.normal(size=(len(labels), 8)), labels


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    features, labels = arrays()
    np.savez(tmp_path / "clip.npz", features=features, labels=labels, class_names=NAMES, split=OF)
    vectors = np.random.default_rng(1).normal(size=(CLASSES, 4))
    np.savez(tmp_path / "vectors.npz", class_names=NAMES, vectors=vectors)
    return tmp_path / "clip.npz", tmp_path / "vectors.npz"


def accuracies(results: sl.Results) -> list[tuple[str, int, float]]:
    return [(each.method, each.shots, each.accuracy) for each in results.records]


def test_it_gives_the_records_of_an_experiment(files: tuple[Path, Path], tmp_path: Path) -> None:
    clip, vectors = files
    rows = [sl.SimpleShot(), sl.ProtoNet("cosine"), sl.Ktn(), mixed, PrototypicalNetworks()]
    results = sl.evaluate(rows, data=sl.features(clip), text=vectors, **SMALL)
    experiment = Experiment(
        dataset=FeatureBenchmark(clip),
        methods=[sl.SimpleShot(), sl.ProtoNet("cosine"), sl.Ktn()],
        text_encoder=sl.VectorFile(vectors),
        **{name: value for name, value in SMALL.items() if name != "progress"},
    )
    store = RecordStore(tmp_path / "out")
    expected = list(experiment.run(root=tmp_path, cache=Cache(tmp_path / "cache"), store=store))
    found = {(each.method, each.shots): each for each in results.records}
    assert len(found) == 10 and len(expected) == 6
    for record in expected:
        ours = found[record.method, record.shots]
        assert ours.accuracy == record.accuracy and ours.delta == record.delta
        assert torch.equal(results.store.accuracies(ours), store.accuracies(record))
    assert found["ktn_fusion", 1].semantics == "vectors.npz"
    assert found["mixed", 1].config.startswith("# evaluated from Python\n")


def test_data_come_in_many_forms(files: tuple[Path, Path]) -> None:
    clip, _ = files
    features, labels = arrays()
    in_memory = feature_data(torch.tensor(features), torch.tensor(labels), NAMES, OF)
    forms: list[Any] = [
        clip, str(clip), sl.features(str(clip)), sl.features(features, labels, NAMES, OF),
        in_memory, FeatureBenchmark(clip),
    ]  # fmt: skip
    found = [accuracies(sl.evaluate([sl.ProtoNet()], form, **SMALL)) for form in forms]
    assert all(each == found[0] for each in found) and found[0][0][2] > 30
    again = sl.features(features, labels, NAMES, OF).load(clip, Cache(clip))
    assert again.fingerprint == FeatureBenchmark(clip).load(clip, Cache(clip)).fingerprint


@pytest.mark.parametrize("said", ["of_teacher", "shared_space"])
def test_features_that_a_teacher_made_are_said_to_be(
    files: tuple[Path, Path], tmp_path: Path, said: str
) -> None:
    """It goes into the records, and changes neither the data nor an accuracy."""
    silent, telling = FeatureBenchmark(files[0]), FeatureBenchmark(files[0], **{said: True})
    one, other = (sl.evaluate([sl.ProtoNet()], data=each, **SMALL) for each in (silent, telling))
    assert {each.uses_teacher_images for each in one.records} == {False}
    assert {each.uses_teacher_images for each in other.records} == {True}
    assert accuracies(one) == accuracies(other)
    prints = {each.load(tmp_path, Cache(tmp_path)).fingerprint for each in (silent, telling)}
    assert len(prints) == 1


def test_images_by_name_by_folder_and_in_memory(tmp_path: Path) -> None:
    one = {**SMALL, "shots": (1,)}
    root = write_archive(tmp_path / "data", SPLITS, 12)
    rows = [
        sl.Maml(
            training=TaskTraining(iterations=1, hidden_size=4, queries=2, episodes=6),
            adaptation_steps=1,
        )
    ]
    named = sl.evaluate(rows, "cifar_fs", **one)
    [record] = named.records
    assert record.student == "CNN4, 4 channels" and record.episodes == 6
    folder = root / "cifarfs" / "cifar100" / "data"
    (folder / "splits.json").write_text(str(SPLITS).replace("'", '"'))
    assert len(sl.evaluate(rows, folder, **one).records) == 1
    data = FewShotData(
        name="mine", fingerprint="f",
        train=random_split(6, 12, "b"), validation=random_split(6, 12, "v", 1),
        test=random_split(6, 12, "n", 2),
    )  # fmt: skip
    results = sl.evaluate(rows, data, **one)
    assert results.records[0].dataset == "mine"
    rows_chart, sheet = results.figures(tmp_path / "figures")
    assert rows_chart.name == "mine_rows.png"
    assert sheet.name == "mine_episode.png" and sheet.stat().st_size > 10_000


def test_a_row_over_more_episodes_is_another_record(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    """Red before: the record of 5 episodes was found again."""
    for count in (5, 9):
        theirs = sl.FromModule(module=PrototypicalNetworks(), name="theirs", episodes=count)
        results = sl.evaluate([theirs], data=files[0], out=tmp_path / "out", **SMALL)
        assert {record.episodes for record in results.records} == {count}


def test_results_show_themselves(files: tuple[Path, Path]) -> None:
    clip, _ = files
    results = sl.evaluate(
        [sl.ProtoNet(), sl.SimpleShot()], clip, comparisons=[("simpleshot", "protonet")], **SMALL
    )
    one = f"{results.records[0].accuracy:.2f}"
    for text in (
        results.table(), results.markdown(), results.latex(), results._repr_html_(), str(results),
    ):  # fmt: skip
        assert one in text and "SimpleShot" in text
    assert results._repr_html_().count("<table>") == 2
    assert results.records[0].delta is None and results.records[1].delta_vs == "protonet"
    kept = results.store.out
    assert kept.is_dir()
    del results
    assert not kept.exists()


def test_a_folder_keeps_the_records(files: tuple[Path, Path], tmp_path: Path) -> None:
    clip, _ = files
    first = sl.evaluate([sl.ProtoNet()], clip, out=tmp_path / "out", **SMALL)
    again = sl.evaluate([sl.ProtoNet()], clip, out=tmp_path / "out", **SMALL)
    assert first.records == again.records  # found, with the time of the first
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("rows", "settings", "error", "message"),
    [
        ([mixed], {}, ValueError, "mixed uses text"),
        ([sl.ProtoNet(), sl.ProtoNet()], {}, ValueError, "two rows are called .protonet.: give"),
        ([torch.nn.Linear(2, 2)], {}, TypeError, "^Linear is no row"),
        ([sl.ProtoNet()], {"way": 3}, TypeError, "^evaluate has no setting way; it has .*ways"),
        ([sl.ProtoNet()], {"data": "imagenet"}, ValueError, "unknown data set 'imagenet'.*folder"),
        ([sl.ProtoNet()], {"data": "none.npz"}, FileNotFoundError, "no features at .*none.npz"),
        ([sl.ProtoNet()], {"text": "none.npz"}, FileNotFoundError, "class vectors at none.npz"),
        ([sl.Am3()], {"text": "VECTORS", "queries": 2, "shots": (15,)}, ValueError,
         "^am3 trains on.*'class 0' has 20"),
        ([sl.Maml()], {}, ValueError, "maml needs images"),
        ([sl.ProtoNet()], {"shots": "5"}, ValueError, "shots must be a list such as"),
    ],
)  # fmt: skip
def test_bad_input(
    files: tuple[Path, Path],
    rows: Sequence[Any],
    settings: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    clip, vectors = files
    settings = {name: vectors if each == "VECTORS" else each for name, each in settings.items()}
    with pytest.raises(error, match=message) as caught:
        sl.evaluate(rows, **{"data": clip, **SMALL, **settings})
    assert "\n" not in str(caught.value)


def test_one_number_of_shots_is_enough(files: tuple[Path, Path]) -> None:
    [one] = sl.evaluate([sl.ProtoNet()], files[0], **{**SMALL, "shots": 2}).records
    [listed] = sl.evaluate([sl.ProtoNet()], files[0], **{**SMALL, "shots": [2]}).records
    assert (one.shots, one.accuracy) == (2, listed.accuracy)


def test_arrays_that_do_not_fit() -> None:
    features, labels = arrays()
    with pytest.raises(TypeError, match="need labels"):
        sl.features(features, labels)
    with pytest.raises(ValueError, match="labels must lie in 0 to 16"):
        sl.features(features, labels, NAMES[1:], OF[1:])


def test_a_bar_counts(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("stage", total=3, unit="img") as advance:
        advance(1)
        advance(2)
    assert capsys.readouterr().out == ""
