from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic import add, small_run

from syntrans_l2l.reporting.collection import boards, collect, newest
from syntrans_l2l.reporting.comparisons import compare
from syntrans_l2l.reporting.labels import row_labels
from syntrans_l2l.reporting.records import Record, RecordStore, read_accuracies
from syntrans_l2l.reporting.tables import leaderboard


def test_runs_at_any_depth_of_several_folders(tmp_path: Path) -> None:
    one, two = small_run(tmp_path / "a" / "deep"), small_run(tmp_path / "b")
    records, problems = collect([tmp_path / "a", tmp_path / "b"])
    assert len(records) == 12 and not problems
    assert read_accuracies(records[0]).equal(one.accuracies(records[0]))
    assert Path(records[-1].diagnostics).parent.parent == two.out


def test_folders_without_records_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no results\.jsonl in or below"):
        collect([tmp_path])
    with pytest.raises(FileNotFoundError, match="none"):
        collect([tmp_path / "none"])


def but(record: Record, parts: Mapping[str, str] | None = None, **changes: Any) -> Record:
    """The record with other hashes or fields."""
    return replace(record, identity={**record.identity, **(parts or {})}, **changes)


def old(record: Record, **changes: Any) -> Record:
    """The record as schema 2 had it."""
    return replace(record, **{"identity": {}, "settings": {}, "schema": 2, **changes})


@pytest.mark.parametrize("form", [but, old], ids=["schema 3", "schema 2"])
def test_the_best_of_the_same_rows_is_kept(tmp_path: Path, form: Callable[..., Record]) -> None:
    first = form(add(RecordStore(tmp_path), finished="2026-01-01T00:00:00+00:00"))
    new = form(first, id="new", finished="2026-02-01T00:00:00+00:00")
    smoke = form(new, id="smoke", episodes=100, finished="2026-03-01T00:00:00+00:00")
    for order in permutations([first, new, smoke]):
        kept, others = newest(order)
        assert kept == [new] and len(others) == 2
    later = form(first, id="later")  # the same second: the later in the file
    assert newest([first, later]) == ([later], [first])
    for change in ({"descriptor_hash": "other"}, {"data_fingerprint": "other"}, {"seed": 1},
                   {"shots": 5}, {"dataset": "fc100"}, {"ways": 3}, {"queries": 5},
                   {"method": "other"}):  # fmt: skip
        assert newest([first, form(new, **change)])[1] == [], change


def test_rows_are_the_same_only_where_all_hashes_agree(tmp_path: Path) -> None:
    first = add(RecordStore(tmp_path))
    for part in ("method", "code", "encoder", "encoder_recipe"):
        other = but(first, {part: "other"}, id="other")
        assert newest([first, other])[1] == [], part
        [board] = boards([first, other])
        assert len({line.label for line in board.lines}) == 2


def test_the_shortest_label_that_tells_rows_apart(tmp_path: Path) -> None:
    first = add(RecordStore(tmp_path))

    def labels(*changes: dict[str, Any]) -> list[str]:
        rows = [replace(first, id=str(number), **each) for number, each in enumerate(changes)]
        return row_labels(rows)

    more = {"cycle": 0.5, "student.training.epochs": 10}
    few = {**first.settings, "student.training.epochs": 10}
    assert labels({}) == ["syntrans"]
    assert labels({}, {"method": "other"}) == ["syntrans", "other"]
    assert labels({}, {"settings": few}) == ["syntrans (epochs 60)", "syntrans (epochs 10)"]
    assert labels({}, {"settings": more}) == ["syntrans (cycle 1.0)", "syntrans (cycle 0.5)"]
    assert labels({}, {"student": "cnn4"}) == ["syntrans (resnet12 x32)", "syntrans (cnn4)"]
    assert labels({"descriptor_hash": "ab12cd"}, {"descriptor_hash": "ab12ef"}) == [
        "syntrans (text ab12c)",
        "syntrans (text ab12e)",
    ]
    weights = [{"identity": {**first.identity, "encoder": each}} for each in ("3f2a9", "77b01")]
    assert labels(*weights) == ["syntrans (student 3f2a)", "syntrans (student 77b0)"]
    four = [{"student": student, "settings": {"cycle": cycle}}
            for student in ("a", "b") for cycle in (1, 2)]  # fmt: skip
    assert labels(*four) == [f"syntrans ({s}, cycle {c})" for s in "ab" for c in (1, 2)]
    hashed = [  # red before: one hash told all apart, and said nothing
        {**each, "identity": {**first.identity, "encoder": f"{number}" * 5}}
        for number, each in enumerate(four)
    ]
    assert labels(*hashed) == labels(*four)
    assert labels({}, {}) == ["syntrans (no. 1)", "syntrans (no. 2)"]
    assert labels({}, {"schema": 2, "identity": {}, "settings": {}})[0] != "syntrans"


def test_a_row_is_one_line_across_data_sets_whose_weights_and_vectors_differ(
    tmp_path: Path,
) -> None:
    one = add(RecordStore(tmp_path))
    changes: dict[str, Any] = {"dataset": "fc100", "data_fingerprint": "b", "shots": 5}
    two = but(one, {"encoder": "b", "semantics": "b"}, descriptor_hash="b", **changes)
    [board] = boards([one, two])
    assert len(board.lines) == 1 and board.columns == [("cifar_fs", 1), ("fc100", 5)]
    for part in ("method", "code", "encoder_recipe", "semantics_kind"):
        assert len(boards([one, but(two, {part: "other"})])) == 2, part


def test_which_of_two_a_third_belongs_to_is_not_guessed(tmp_path: Path) -> None:
    """Two files of one name on one data set, and one of that name on another."""
    one = add(RecordStore(tmp_path))
    two = but(one, id="two", descriptor_hash="two")
    elsewhere = but(one, id="else", dataset="fc100", data_fingerprint="b", descriptor_hash="b")
    found = boards([one, two, elsewhere])
    assert [len(board.lines) for board in found] == [2, 1]
    assert [len(line.cells) for line in found[0].lines] == [1, 1]


def test_other_data_under_the_same_name_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    one = add(RecordStore(tmp_path), data_fingerprint="3f2a77")
    two = but(one, id="two", data_fingerprint="91bc77")
    found = boards([one, two])
    assert [board.datasets for board in found] == [["cifar_fs (3f2a)"], ["cifar_fs (91bc)"]]
    fc100 = but(one, id="x", dataset="fc100", data_fingerprint="c")
    assert [board.datasets for board in boards([one, two, fc100])] == [
        ["cifar_fs (3f2a)"], ["cifar_fs (91bc)"], ["fc100"],
    ]  # fmt: skip
    table = leaderboard(found[0], lambda record: torch.zeros(1))
    assert table.caption.startswith("cifar_fs (3f2a), 5-way")


def test_differences_over_different_encoders_are_said(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    one, two = add(store), add(store, method="other")
    same = but(two, {"encoder": one.identity["encoder"]})
    apart = but(two, {"encoder": "another"})
    for second, said in ((same, False), (apart, True), (replace(same, student="cnn4"), True)):
        [board] = boards([one, second])
        compared = compare(board, [("other", "syntrans")], store.accuracies).caption
        for caption in (leaderboard(board, store.accuracies).caption, compared):
            assert ("different encoders" in caption) is said


def test_boards_hold_what_is_comparable(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    base = add(store)
    fc100 = replace(base, dataset="fc100")
    apart = but(base, {"encoder_recipe": "small"}, dataset="generated")
    other_seed, other_ways = replace(base, seed=1), replace(base, ways=3)
    found = boards([base, fc100, apart, other_seed, other_ways])
    assert [board.datasets for board in found] == [
        ["cifar_fs", "fc100"],
        ["generated"],
        ["cifar_fs"],
        ["cifar_fs"],
    ]
    assert found[0].columns == [("cifar_fs", 1), ("fc100", 1)]


def test_a_third_data_set_joins_two(tmp_path: Path) -> None:
    base = add(RecordStore(tmp_path))
    records = [
        replace(base, dataset="a", method="m"),
        replace(base, dataset="b", method="n"),
        replace(base, dataset="c", method="m"),
        replace(base, dataset="c", method="n"),
    ]
    [board] = boards(records)
    assert board.datasets == ["a", "b", "c"] and len(board.lines) == 2


def test_records_of_schema_2_are_told_apart_by_what_they_show(tmp_path: Path) -> None:
    base = old(add(RecordStore(tmp_path)))
    [board] = boards([base, replace(base, id="other", semantics="names")])
    assert [line.label for line in board.lines] == ["syntrans (vectors.npz)", "syntrans (names)"]


def test_columns_that_were_trained_otherwise_say_how(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    for method, budgets in (("maml", ("500 tasks", "900 tasks")), ("am3", ("100 steps",) * 2)):
        for shots, budget in zip((5, 1), reversed(budgets), strict=True):  # columns are in order
            add(store, method=method, shots=shots, budget=budget)
    records, _ = collect([tmp_path])
    (board,) = boards(records)
    table = leaderboard(board, read_accuracies)
    place = table.header.index("own training")
    told = [row[place] for row in table.rows]
    assert sorted(map(str, told)) == ["1-shot: 500 tasks; 5-shot: 900 tasks", "100 steps"]
