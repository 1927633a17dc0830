"""What the text is worth: a row minus its own shuffled control, whatever they are called."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from synthetic import add, right_answers

from syntrans_l2l.reporting.collection import Board, boards
from syntrans_l2l.reporting.controls import controls
from syntrans_l2l.reporting.grid import MINUS_SHUFFLED, Estimate
from syntrans_l2l.reporting.html import report
from syntrans_l2l.reporting.identity import PARTS
from syntrans_l2l.reporting.latex import latex
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.reporting.render import markdown
from syntrans_l2l.reporting.tables import leaderboard
from syntrans_l2l.reporting.terminal import terminal

COLUMN = ("cifar_fs", 1)
IDENTITY = {part: part for part in PARTS}


def of(store: RecordStore, name: str, variant: str, share: float, **changes: Any) -> Record:
    """A row of SynTrans under a display name that says nothing."""
    settings = {"variant": variant, "folds": 4, **changes.pop("settings", {})}
    identity = {**IDENTITY, "method": name, **changes.pop("identity", {})}
    right = right_answers(share, 600, seed=int(share * 100))
    return add(store, right, method=name, settings=settings, identity=identity, **changes)


def board_of(*records: Record) -> Board:
    [board] = boards(records)
    return board


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path)


def test_every_table_has_the_paired_difference(store: RecordStore) -> None:
    row, control = of(store, "a", "full", 0.7), of(store, "b", "shuffled", 0.6)
    plain = add(store, method="protonet_cosine")
    board = board_of(plain, row, control)
    for details in (False, True):
        grid = leaderboard(board, store.accuracies, details=details)
        place = grid.header.index(MINUS_SHUFFLED)
        assert place == grid.header.index("1-shot") + 1
        shown = {str(cells[0]): cells[place] for cells in grid.rows}
        assert shown["protonet_cosine"] is None and shown["b"] is None
        delta = shown["a"]
        assert isinstance(delta, Estimate) and delta.ci95 is not None and delta.signed
        pair = (store.accuracies(each).numpy() for each in (row, control))
        oracle = stats.ttest_rel(*pair).confidence_interval(0.95)
        assert delta.mean - delta.ci95 == pytest.approx(oracle.low)
        assert delta.mean + delta.ci95 == pytest.approx(oracle.high)
        assert "what the text is worth" in grid.caption
        for text in (
            markdown([grid]),
            report([(board, grid)], [], [], {}),
            terminal([grid], width=120),
        ):
            assert MINUS_SHUFFLED in " ".join(text.split()) and str(delta) in text
        assert MINUS_SHUFFLED in latex([grid]) and f"{delta.mean_text}" in latex([grid])


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"folds": 2}},
        {"identity": {"encoder": "other"}},
        {"identity": {"semantics": "other"}, "descriptor_hash": "other"},
        {"identity": {"code": "other"}},
        {"training_seed": 1},
        {"variant": "reselected"},
    ],
)
def test_what_is_no_control_of_the_row(store: RecordStore, changes: dict[str, Any]) -> None:
    row, control = of(store, "a", "full", 0.7), of(store, "b", "shuffled", 0.6)
    other = of(store, "c", **{"variant": "shuffled", "share": 0.5, **changes})
    found = controls(board_of(row, other, control), COLUMN)
    assert found == {row.id: control}
    assert controls(board_of(row, other), COLUMN) == {}
    assert MINUS_SHUFFLED not in leaderboard(board_of(row, other), store.accuracies).header


def test_old_records_have_none(store: RecordStore) -> None:
    old: dict[str, Any] = {"identity": {}, "settings": {}, "schema": 2, "training_seed": None}
    rows = [of(store, "a", "full", 0.7), of(store, "b", "shuffled", 0.6)]
    assert controls(board_of(*(replace(each, **old) for each in rows)), COLUMN) == {}
