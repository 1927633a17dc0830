"""Learning curves: kept once an encoder, found by its records, drawn by epoch."""

import logging
from pathlib import Path

import pytest
from common import random_split
from synthetic import add

from syntrans_l2l.reporting.collection import boards, collect
from syntrans_l2l.reporting.figures.album import pictures
from syntrans_l2l.reporting.figures.learning import learning_figure
from syntrans_l2l.reporting.identity import PARTS
from syntrans_l2l.reporting.learning import keep_learning, learning_by_student
from syntrans_l2l.reporting.records import RecordStore

CURVES = {"loss": [3.0, 2.0, 1.5], "validation": [40.0, 50.0, 55.0]}


def identity(method: str, encoder: str) -> dict[str, str]:
    return {**{part: f"{part} of {method}" for part in PARTS}, "encoder": encoder}


def test_a_panel_for_each_curve_and_a_line_for_each_student() -> None:
    figure = learning_figure({"one": CURVES, "two": {"loss": [4.0, 3.0], "validation": []}})
    loss, validation = figure.axes
    assert [list(line.get_ydata()) for line in loss.lines] == [CURVES["loss"], [4.0, 3.0]]
    assert list(validation.lines[0].get_ydata()) == CURVES["validation"]
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one", "two"]


def test_without_validation_there_is_one_panel() -> None:
    [panel] = learning_figure({"one": {"loss": [1.0, 0.5], "validation": []}}).axes
    assert panel.get_ylabel() == "training loss"


def test_records_find_the_curves_of_their_encoder(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    for method, encoder in (("a", "e1"), ("b", "e1"), ("c", "e2"), ("d", "e3")):
        add(store, method=method, identity=identity(method, encoder))
    keep_learning(tmp_path, "e1", CURVES)
    keep_learning(tmp_path, "e2", {"loss": [1.0], "validation": []})
    keep_learning(tmp_path, "e3", {"loss": [], "validation": []})
    [board] = boards(collect([tmp_path])[0])
    found = learning_by_student(board, "cifar_fs")
    assert found == {
        "resnet12 x32: a": CURVES,
        "resnet12 x32: c": {"loss": [1.0], "validation": []},
    }
    album = list(pictures(board, lambda _: random_split(20, 20, "n")))
    assert album[-1].name == "cifar_fs_learning"


@pytest.mark.parametrize("content", ["{", '{"loss": "low"}', "[1, 2]"])
def test_damaged_curves_are_said_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    store = RecordStore(tmp_path)
    add(store, method="a", identity=identity("a", "e1"))
    keep_learning(tmp_path, "e1", CURVES)
    (tmp_path / "learning" / "e1.json").write_text(content)
    [board] = boards(collect([tmp_path])[0])
    with caplog.at_level(logging.WARNING):
        assert learning_by_student(board, "cifar_fs") == {}
    assert "no learning curves of resnet12 x32" in caplog.text
