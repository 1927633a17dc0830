"""What tables print is a label; what records are asked for by is an identifier."""

from dataclasses import replace
from pathlib import Path

from command_line import features_file

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.reporting.collection import boards
from syntrans_l2l.reporting.comparisons import ablation
from syntrans_l2l.reporting.records import RecordStore


def test_a_label_renames_a_row_and_computes_nothing(tmp_path: Path) -> None:
    features_file(tmp_path)
    named = Row(method=ProtoNet(), name="mine")
    experiment = Experiment(
        dataset=FeatureBenchmark("features.npz"), shots=(1,), queries=2, episodes=6,
        methods=[ProtoNet("cosine"), ProtoNet(), named, replace(named, name="b", label="Bee")],
    )  # fmt: skip
    store, cache = RecordStore(tmp_path / "out"), Cache(tmp_path / "cache")
    first = list(experiment.run(root=tmp_path, cache=cache, store=store))
    assert [record.method for record in first] == ["protonet_cosine", "protonet", "mine", "b"]
    [board] = boards(first)
    labels = [line.label for line in board.lines]
    assert labels == ["ProtoNet (cosine)", "ProtoNet", "mine", "Bee"]
    for name in ("b", "Bee"):
        assert len(ablation(board, name, store.accuracies).rows) == 3
    again = replace(experiment, methods=[ProtoNet("cosine"), replace(named, label="Ours")])
    second = list(again.run(root=tmp_path, cache=cache, store=store))
    assert [record.title for record in second] == ["ProtoNet (cosine)", "Ours"]
    assert second[1].id == first[2].id
    assert len(store.path.read_text(encoding="utf-8").splitlines()) == 4
