from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import add, small_run

from syntrans_l2l.reporting.collection import boards, collect, newest
from syntrans_l2l.reporting.records import RecordStore, read_accuracies


def test_runs_at_any_depth_of_several_folders(tmp_path: Path) -> None:
    one, two = small_run(tmp_path / "a" / "deep"), small_run(tmp_path / "b")
    records, problems = collect([tmp_path / "a", tmp_path / "b"])
    assert len(records) == 12 and not problems
    assert read_accuracies(records[0]).equal(one.accuracies(records[0]))
    assert Path(records[-1].diagnostics).parent.parent == two.out


def test_other_data_under_the_same_name_is_said(tmp_path: Path) -> None:
    store = small_run(tmp_path)
    add(store, data_fingerprint="other")
    _, problems = collect([tmp_path])
    assert len(problems) == 1 and "2 different data share this name" in problems[0]


def test_folders_without_records_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no results\.jsonl in or below"):
        collect([tmp_path])
    with pytest.raises(FileNotFoundError, match="none"):
        collect([tmp_path / "none"])


def test_the_newest_of_the_same_rows_is_kept(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    old = add(store, finished="2026-01-01T00:00:00+00:00")
    new = replace(old, id="new", finished="2026-02-01T00:00:00+00:00")
    for order in ([old, new], [new, old]):
        assert newest(order) == ([new], [old])
    later = replace(old, id="later")  # the same second: the later in the file
    assert newest([old, later]) == ([later], [old])
    for change in ({"semantics": "names"}, {"student": "x"}, {"budget": "y"}, {"seed": 1},
                   {"shots": 5}, {"dataset": "fc100"}, {"ways": 3}, {"queries": 5}):  # fmt: skip
        assert newest([old, replace(new, **change)])[1] == []


def test_boards_hold_what_is_comparable(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    base = add(store)
    fc100 = replace(base, dataset="fc100")
    apart = replace(base, dataset="generated", student="small")
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


def test_rows_of_one_name_are_told_apart_by_their_semantics(tmp_path: Path) -> None:
    base = add(RecordStore(tmp_path))
    [board] = boards([base, replace(base, id="other", semantics="names")])
    labels = [line.label for line in board.lines]
    assert len(set(labels)) == 2
    assert "vectors.npz" in labels[0] and "names" in labels[1]
