"""What reproducing says of figures that are the same, close, far off or missing."""

from pathlib import Path

import pytest
import reproduce
from synthetic import add

from syntrans_l2l.experiment.config import load_experiment, operative_config
from syntrans_l2l.reporting.records import RecordStore


def test_each_figure_is_judged(tmp_path: Path) -> None:
    record = add(RecordStore(tmp_path))
    kept = {("cifar_fs", "syntrans", 1): record}
    assert reproduce.compared(kept, kept) == (
        [
            f"cifar_fs, syntrans, 1-shot: {record.accuracy:.2f} ± {record.ci95:.2f}, "
            "the same to the last bit"
        ],
        False,
    )
    for shift, verdict, differ in ((0.5, "within", False), (2.5, "OUTSIDE", True)):
        moved = record.__class__(
            **{**vars(record), "accuracy": record.accuracy + shift * record.ci95}
        )
        [line], found = reproduce.compared(kept, {("cifar_fs", "syntrans", 1): moved})
        assert verdict in line and found == differ
    [line], found = reproduce.compared(kept, {})
    assert "no new figure" in line and found


def test_every_folder_of_records_is_made_by_a_run() -> None:
    found = reproduce.COMMITTED.glob("*/*/results.jsonl")
    folders = {path.parent.relative_to(reproduce.COMMITTED).as_posix() for path in found}
    assert folders and folders <= set(reproduce.TABLES)


def test_what_has_no_text_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--only", "tables/cifarfs_clip", "--out", str(tmp_path)]
    assert reproduce.main(arguments) == 0
    assert capsys.readouterr().out == (
        "tables/cifarfs_clip: left out, because its VECTORS is not given\n"
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


def test_make_reproduce_is_this_command() -> None:
    """`make reproduce ARGUMENTS=...` passes everything on."""
    rules = (reproduce.REPOSITORY / "Makefile").read_text()
    assert "reproduce: setup\n\t$(PYTHON) benchmarks/reproduce.py $(ARGUMENTS)\n" in rules
