"""What reproducing says of figures that are the same, close, far off or missing."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import reproduce
from synthetic import add, right_answers

from syntrans_l2l.experiment.config import load_experiment, operative_config
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.reporting.identity import settings
from syntrans_l2l.reporting.records import RecordStore


def test_each_figure_is_judged(tmp_path: Path) -> None:
    record = add(RecordStore(tmp_path))
    kept = {("cifar_fs", "syntrans", 1): record}
    label = f"cifar_fs, syntrans, 1-shot: {record.accuracy:.2f} ± {record.ci95:.2f}"
    [same] = reproduce.compared(kept, kept)
    assert same == (reproduce.Verdict.SAME, f"{label}: the same to the last bit")
    for shift, expected in (
        (0.5, reproduce.Verdict.INSIDE),
        (-1.5, reproduce.Verdict.OVERLAP),
        (2.5, reproduce.Verdict.APART),
    ):
        moved = replace(record, accuracy=record.accuracy + shift * record.ci95)
        [(verdict, line)] = reproduce.compared(kept, {("cifar_fs", "syntrans", 1): moved})
        assert verdict == expected
        now = f"{label}, now {moved.accuracy:.2f} ± {moved.ci95:.2f}: {verdict.value}"
        assert line == now
    [(verdict, line)] = reproduce.compared(kept, {})
    assert verdict == reproduce.Verdict.MISSING and line == f"{label}: not made again"


def test_the_end_lists_what_is_not_borne_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines between hours of logs are not read: what matters stands at the end again."""
    monkeypatch.setattr(reproduce, "COMMITTED", tmp_path / "committed")
    monkeypatch.setattr(reproduce, "syntrans", lambda arguments: 0)
    table = "baselines/cifarfs"
    before = add(RecordStore(tmp_path / "committed" / table), right_answers(0.6, 500))
    add(RecordStore(tmp_path / table), right_answers(0.3, 500))
    arguments = ["--only", table, "tables/cifarfs_clip", "--out", str(tmp_path)]
    assert reproduce.main(arguments) == 1
    _, _, end = capsys.readouterr().out.partition("\n\n")
    outside, left_out, *counts = end.splitlines()
    assert outside.startswith(f"{table}: cifar_fs, syntrans, 1-shot: {before.accuracy:.2f} ")
    assert outside.endswith("OUTSIDE: the two intervals do not overlap")
    assert left_out == "tables/cifarfs_clip: left out, because its VECTORS is not given"
    assert counts == [
        "0 figures the same to the last bit",
        "0 figures inside the committed interval",
        "0 figures outside the committed interval, but the two intervals overlap",
        "1 figures OUTSIDE: the two intervals do not overlap",
        "0 figures not made again",
    ]


def test_every_folder_of_records_is_made_by_a_run() -> None:
    found = reproduce.COMMITTED.glob("*/*/results.jsonl")
    folders = {path.parent.relative_to(reproduce.COMMITTED).as_posix() for path in found}
    assert folders and folders <= set(reproduce.TABLES)


def test_what_has_no_text_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--only", "tables/cifarfs_clip", "--out", str(tmp_path)]
    assert reproduce.main(arguments) == 0
    assert "\ntables/cifarfs_clip: left out, because its VECTORS is not given\n" in (
        capsys.readouterr().out
    )


def test_runs_get_what_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file of a table is run into the table's folder; a run that fails is a failure."""
    called: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        called.append(arguments)
        return 0

    monkeypatch.setattr(reproduce, "syntrans", run)
    monkeypatch.setattr(reproduce, "COMMITTED", tmp_path / "none")
    arguments = ["--only", "tables/cifarfs_clip", "--out", str(tmp_path), "--vectors", "it's.npz"]
    out = str(tmp_path / "tables" / "cifarfs_clip")
    assert reproduce.main(arguments) == 0
    assert called == [
        ["run", "--gin", file, "--out", out, """--set=VECTORS = "it's.npz\""""]
        for file in ("syntrans_cifarfs_cpu.gin", "baselines_cifarfs_cpu.gin")
    ]
    called.clear()
    of_features = ["--only", "tables/caltech_ceiling", "--out", str(tmp_path)]
    assert reproduce.main([*of_features, "--caltech", "there", "--clip-text", "t.npz"]) == 0
    assert called[0][5:] == ["--set=CLIP_TEXT = 't.npz'", "--set=FEATURES = 'there/clip.npz'"]
    called.clear()  # the sentence encoder of the gin file is left alone
    text = ["--only", "cross/cifarfs_fc100", "--out", str(tmp_path)]
    assert reproduce.main(text) == 0 and len(called[0]) == 5
    assert reproduce.main([*text, "--sentence-encoder", "own"]) == 0
    assert called[1][5:] == ["--set=SENTENCE_ENCODER = 'own'"]
    monkeypatch.setattr(reproduce, "syntrans", lambda arguments: 2)
    assert reproduce.main(arguments) == 1


@pytest.mark.parametrize("name", reproduce.TABLES)
def test_every_table_builds(name: str) -> None:
    """Its files are there, and read the macros that it asks for."""
    table = reproduce.TABLES[name]
    assert set(table.macros) <= set(reproduce.MACROS)
    for file in table.files:
        load_experiment(Path(file), [])
        text = operative_config()
        assert all(f"\n{macro} = " in text for macro in table.macros)


@pytest.mark.parametrize("name", reproduce.TABLES)
def test_every_committed_row_has_the_settings_of_its_file(name: str) -> None:
    """Red before: one file gave both shots a budget that the record of one of them did not have.

    A setting that is newer than a record is not compared.
    """
    committed = reproduce._records(reproduce.COMMITTED / name)
    made = set()
    for file in reproduce.TABLES[name].files:
        experiment = load_experiment(Path(file), [])
        for row in experiment.rows:
            now = settings(row.method, cast(Arena, SimpleNamespace(recipes={})))
            for cell, record in committed.items():
                if cell[1] == row.title and cell[2] in experiment.shots:
                    made.add(cell)
                    then = {key: record.settings[key] for key in now if key in record.settings}
                    assert then == {key: now[key] for key in then}, cell
    assert made == set(committed)


def test_make_reproduce_is_this_command() -> None:
    """`make reproduce ARGUMENTS=...` passes everything on."""
    rules = (reproduce.REPOSITORY / "Makefile").read_text()
    assert "reproduce: setup\n\t$(PYTHON) benchmarks/reproduce.py $(ARGUMENTS)\n" in rules
