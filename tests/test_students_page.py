"""docs/students.md: its table of validation accuracies, against the records' learning curves."""

import json
import re
from pathlib import Path

import learning_curves
import pytest
from common import REPOSITORY

from syntrans_l2l.reporting.records import read_records

FOLDER = REPOSITORY / "benchmarks" / "records" / "students" / "student_recipes"
# what the page calls them; a student with two views has the plain one's curve
SHOWN = {
    "ten epochs": "ten_epochs",
    "ten epochs and batches of 64": "ten_epochs_batch_64",
    "batches of 64": "batch_64",
    "batches of 32": "batch_32",
    "weight decay 0.001 in place of 0.0005": "weight_decay",
    "born again": "born_again",
    "no colour jitter": "no_jitter",
    "moving average": "moving_average",
    "label smoothing": "label_smoothing",
    "mixup": "mixup",
    "cutout": "cutout",
    "rotation": "rotation",
}


def test_the_last_points_of_the_curves_stand_on_the_page() -> None:
    last = {}
    records, _ = read_records(FOLDER / "results.jsonl")
    for record in records:
        curve = json.loads((FOLDER / "learning" / f"{record.identity['encoder']}.json").read_text())
        last[record.method] = f"{curve['validation'][-1]:.1f}"
    text = (REPOSITORY / "docs" / "students.md").read_text()
    table = text.partition("| change | on validation | time |")[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| ([^|]+) \| (\d\d\.\d) \|", table, flags=re.MULTILINE))
    assert told == {words: last[method] for words, method in SHOWN.items()}
    assert f"the plain one has {last['plain']}." in text
    assert set(last) == {*SHOWN.values(), "plain", "two_views"}
    assert last["plain"] == last["two_views"]


def test_the_figure_has_the_curves_of_the_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The drawing depends on matplotlib's version; the hash of the curves and the names do not."""
    makefile = (REPOSITORY / "Makefile").read_text()
    [tables] = re.findall(r"^CURVES := (.*)$", makefile, flags=re.MULTILINE)
    records = REPOSITORY / "benchmarks" / "records" / "tables"
    folders = [str(records / table) for table in tables.split()]
    new = tmp_path / "learning.svg"
    assert learning_curves.main([*folders, "--out", str(new)]) == 0
    texts = new.read_text(), (REPOSITORY / "docs" / "learning.svg").read_text()
    fresh, committed = (
        re.findall("<dc:description>(.*?)</dc:description>", text) for text in texts
    )
    assert len(fresh) == 1 and fresh == committed
    students = {f"{name}: resnet12, width {w}, 2 views" for name in ("cifar_fs", "fc100")
                for w in (32, 64)}  # fmt: skip
    assert all(students <= set(re.findall("<!-- (.*?) -->", text)) for text in texts)
    nothing = str(records.parent / "baselines")  # rows with networks of their own have none
    assert learning_curves.main([nothing, "--out", str(new)]) == 2
    assert "no learning curves beside the records below" in capsys.readouterr().err
