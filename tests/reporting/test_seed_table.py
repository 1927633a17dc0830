"""Several seeds in one table, against the plain formulas."""

from pathlib import Path
from statistics import mean, stdev

from synthetic import add, right_answers

from syntrans_l2l.reporting.collection import boards
from syntrans_l2l.reporting.grid import Estimate
from syntrans_l2l.reporting.records import RecordStore
from syntrans_l2l.reporting.seeds import over_seeds


def test_mean_and_standard_deviation_over_seeds(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    records = [
        add(store, right_answers(0.6 + seed / 50 + shots / 100, 200), method=method, seed=seed,
            shots=shots)
        for seed in (0, 1, 2) for shots in (1, 5) for method in ("protonet_cosine", "syntrans")
    ]  # fmt: skip
    records.append(add(store, right_answers(0.5, 200), method="maml", seed=1))
    [table] = over_seeds(boards(records))
    assert table.header == ["method", "1-shot", "5-shot", "seeds"]
    for name, first, second, seeds in table.rows:
        assert isinstance(name, str)
        found = [r.accuracy for r in records if (r.method, r.shots) == (name, 1)]
        assert isinstance(first, Estimate) and abs(first.mean - mean(found)) < 1e-9
        if name == "maml":
            assert (first.ci95, second, seeds) == (None, None, "1")
        else:
            assert first.ci95 is not None and abs(first.ci95 - stdev(found)) < 1e-9
            assert seeds == "3"
    assert "seeds 0, 1, 2: mean ± standard deviation" in table.caption


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    assert over_seeds(boards([add(store), add(store, shots=5)])) == []
    other = add(store, seed=1, ways=10)  # tasks of another size are no second seed
    assert over_seeds(boards([add(store), other])) == []
