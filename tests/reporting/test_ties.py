import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy import stats
from synthetic import add, right_answers

from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.reporting.ties import difference, differs, ranks, tied_groups


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path)


def test_the_same_episodes_are_paired_as_scipy_pairs(store: RecordStore) -> None:
    right = right_answers(0.6, 4000)
    chance = torch.rand(4000, generator=torch.Generator().manual_seed(1))
    first, second = (add(store, each) for each in (right, right - (chance < 0.1).float()))
    mean, ci95 = difference(first, second, store.accuracies)
    pair = (store.accuracies(each).numpy() for each in (first, second))
    oracle = stats.ttest_rel(*pair).confidence_interval(0.95)
    assert mean - ci95 == pytest.approx(oracle.low, rel=1e-3)
    assert mean + ci95 == pytest.approx(oracle.high, rel=1e-3)
    assert differs(first, second, store.accuracies)
    # over other episodes, the same two accuracies are a tie
    for change in ({"seed": 1}, {"data_fingerprint": "other"}, {"queries": 10}):
        assert not differs(first, replace(second, **change), store.accuracies)


@pytest.mark.parametrize(("one", "other"), [(900, 700), (6, 900), (3, 2)])
def test_other_episodes_give_welchs_interval(store: RecordStore, one: int, other: int) -> None:
    first = add(store, right_answers(0.6, one))
    second = replace(add(store, right_answers(0.5, other, seed=1)), seed=1)
    mean, ci95 = difference(first, second, store.accuracies)
    ours, theirs = (store.accuracies(each) for each in (first, second))
    welch = stats.ttest_ind(ours, theirs, equal_var=False)
    low, high = welch.confidence_interval(0.95)
    assert mean == pytest.approx((low + high) / 2)
    assert ci95 == pytest.approx((high - low) / 2, rel=1e-9)


def test_a_slow_method_is_paired_over_its_first_episodes(store: RecordStore) -> None:
    right = right_answers(0.6, 900)
    long, short = add(store, right), add(store, right[:50] - 1)
    assert difference(long, short, store.accuracies).mean == pytest.approx(100 / 75)


def test_lost_accuracies_are_reported_and_not_fatal(
    store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = add(store), add(store, right_answers(0.5, 600))
    (store.out / first.episode_accuracies).write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        mean, ci95 = difference(first, second, store.accuracies)
    assert mean == first.accuracy - second.accuracy and ci95 > 0
    assert "no paired difference" in caplog.text


def test_certain_differences_need_no_episodes(store: RecordStore) -> None:
    first, second = add(store), add(store, right_answers(0.5, 600))

    def unread(record: Record) -> torch.Tensor:
        raise AssertionError("read")

    assert differs(first, second, unread)


def test_ranks_of_a_worked_example(store: RecordStore) -> None:
    """By hand, intervals of +-1: 80 | 79.5 ties with it; 78.2 differs from 80, leads the rest;
    77.5 and 77 tie with that; 70 stands alone. Ranks 1.5, 1.5, 4, 4, 4, 6.
    """
    base = add(store)
    column = [
        replace(base, id=name, accuracy=mean, ci95=1.0, seed=number)  # other episodes each
        for number, (name, mean) in enumerate(
            {"f": 70.0, "d": 77.5, "a": 80.0, "c": 78.2, "e": 77.0, "b": 79.5}.items()
        )
    ]
    groups = tied_groups(column, store.accuracies)
    assert [[record.id for record in group] for group in groups] == [
        ["a", "b"],
        ["c", "d", "e"],
        ["f"],
    ]
    assert ranks(groups) == {"a": 1.5, "b": 1.5, "c": 4.0, "d": 4.0, "e": 4.0, "f": 6.0}
