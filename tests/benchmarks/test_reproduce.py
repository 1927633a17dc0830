"""What reproducing says of figures that are the same, close, far off or missing."""

from pathlib import Path

import pytest
import reproduce
from synthetic import add

from syntrans_l2l.reporting.records import RecordStore


def test_each_figure_is_judged(tmp_path: Path) -> None:
    record = add(RecordStore(tmp_path))
    kept = {("syntrans", 1): record}
    assert reproduce.compared(kept, kept) == (
        [f"syntrans, 1-shot: {record.accuracy:.2f} ± {record.ci95:.2f}, the same to the last bit"],
        False,
    )
    for shift, verdict, differ in ((0.5, "within", False), (2.5, "OUTSIDE", True)):
        moved = record.__class__(
            **{**vars(record), "accuracy": record.accuracy + shift * record.ci95}
        )
        [line], found = reproduce.compared(kept, {("syntrans", 1): moved})
        assert verdict in line and found == differ
    [line], found = reproduce.compared(kept, {})
    assert "no new figure" in line and found


def test_every_folder_of_records_is_made_by_a_run() -> None:
    folders = {path.parent.name for path in reproduce.COMMITTED.glob("*/results.jsonl")}
    assert folders == set(reproduce.RUNS)


def test_what_has_no_text_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--only", "cifarfs_clip", "--out", str(tmp_path)]
    assert reproduce.main(arguments) == 0
    assert capsys.readouterr().out == ("cifarfs_clip: left out, because its VECTORS is not given\n")
