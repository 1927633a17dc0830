import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from common import REPOSITORY
from safetensors.torch import load_file
from synthetic import add, right_answers, small_run

from syntrans_l2l.evaluation.statistics import percent_right
from syntrans_l2l.reporting.records import (
    RecordStore,
    percent,
    read_accuracies,
    read_diagnostics,
    read_records,
)


def test_counts_give_back_every_accuracy_bit_for_bit() -> None:
    for answers in (25, 75, 100):
        labels = torch.zeros(answers, dtype=torch.int64)
        said = (torch.arange(answers) >= torch.arange(answers + 1)[:, None]).long()
        accuracies = percent_right(said, labels)  # 0, 1, ... all answers right
        right = torch.arange(answers + 1).short()
        assert percent(right, answers).equal(accuracies)


def test_files_hold_counts(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    record = add(store, right_answers(0.6, 500))
    assert load_file(tmp_path / record.episode_accuracies)["right"].dtype == torch.int16
    assert (tmp_path / record.episode_accuracies).stat().st_size < 2 * 500 + 200
    assert store.accuracies(record).equal(percent(right_answers(0.6, 500), 75))
    assert read_accuracies(record, tmp_path).equal(store.accuracies(record))
    with pytest.raises(ValueError, match="not counts of 75 answers"):
        store.save_accuracies("x", torch.tensor([50.0]).double(), 75)


def test_diagnostics_carry_the_class_names(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    shared = torch.arange(6)
    name = store.save_diagnostics("x", {"a": shared, "b": shared[:3]}, ["cat", "größe"])
    tensors, names = read_diagnostics(tmp_path / name)
    assert names == ["cat", "größe"]
    assert tensors["b"].tolist() == [0, 1, 2]


def test_a_record_is_found_only_with_its_files(tmp_path: Path) -> None:
    store = small_run(tmp_path)
    [first, *_], problems = read_records(store.path)
    assert not problems and store.find(first.id) == first
    (tmp_path / first.diagnostics).unlink()
    assert store.find(first.id) is None
    assert RecordStore(tmp_path / "new").find(first.id) is None


def test_a_line_follows_a_truncated_one(tmp_path: Path) -> None:
    store = small_run(tmp_path)
    with store.path.open("a") as file:
        file.write('{"id": "half')
    add(store, method="late")
    records, problems = read_records(store.path)
    assert records[-1].method == "late" and len(records) == 7
    assert problems == [
        f"{store.path}:7: not a whole JSON line, as a killed run leaves it; skipped"
    ]


def test_processes_append_at_once_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Three writers of forty records of their own and of five that all of them have."""
    script = f"""
import sys
sys.path.insert(0, {str(REPOSITORY / "tests" / "support")!r})
from dataclasses import replace
from pathlib import Path
from synthetic import add
from syntrans_l2l.reporting.records import RecordStore

store = RecordStore(Path({str(tmp_path)!r}))
first = add(store, method="seed", config="x" * 9000)  # a line of several blocks of a buffer
for number in range(40):
    store.append(replace(first, id=f"{{sys.argv[1]}} {{number}}"))
    store.append(replace(first, id=f"shared {{number % 5}}"))
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    records, problems = read_records(tmp_path / "results.jsonl")
    ids = [record.id for record in records]
    own = {f"{name} {number}" for name in "abc" for number in range(40)}
    assert not problems and len(ids) == len(set(ids))
    assert {each for each in ids if each[0] in "abc" and each[1] == " "} == own
    assert {each for each in ids if each.startswith("shared")} == {f"shared {n}" for n in range(5)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 1}, "schema 1, this version reads 2 and 3"),
        ({"accuracy": float("nan")}, "accuracy is nan"),
        ({"ci95": float("inf")}, "ci95 is inf"),
        ({"shots": "1"}, "shots is '1'"),
        ({"config": None}, "config is None"),
        ({"extra": 1}, "has unknown fields extra"),
        ({"method": ...}, "lacks method"),
    ],
)
def test_bad_lines_are_named_and_skipped(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    store = small_run(tmp_path)
    lines = store.path.read_text().splitlines()
    bad = {**json.loads(lines[2]), **change}
    lines[2] = json.dumps({key: value for key, value in bad.items() if value is not ...})
    store.path.write_text("\n".join([*lines, "[]"]) + "\n")
    records, problems = read_records(store.path)
    assert len(records) == 5
    assert problems == [
        f"{store.path}:3: {message}; skipped",
        f"{store.path}:7: not a record; skipped",
    ]


def test_records_of_schema_2_are_read_and_say_what_they_lack(tmp_path: Path) -> None:
    store = small_run(tmp_path)
    lines = [json.loads(line) for line in store.path.read_text().splitlines()]
    for content in lines[:2]:
        del content["identity"], content["settings"]
        content["schema"] = 2
    store.path.write_text("".join(json.dumps(content) + "\n" for content in lines))
    records, problems = read_records(store.path)
    assert [record.schema for record in records] == [2, 2, 3, 3, 3, 3]
    assert records[0].identity == records[0].settings == {}
    assert len(problems) == 1 and "2 records of schema 2 have no hashes of" in problems[0]
