"""docs/students.md: its table of validation accuracies, against the records' learning curves."""

import json
import re

from common import REPOSITORY

from syntrans_l2l.reporting.records import read_records

FOLDER = REPOSITORY / "benchmarks" / "records" / "students" / "student_recipes"
# in the order of the page; a row with two views has the curve of the plain student
SHOWN = ("ten_epochs", "ten_epochs_batch_64", "batch_64", "batch_32", "weight_decay",
         "born_again", "no_jitter", "moving_average", "label_smoothing", "mixup", "cutout",
         "rotation")  # fmt: skip


def test_the_last_points_of_the_curves_stand_on_the_page() -> None:
    last = {}
    records, _ = read_records(FOLDER / "results.jsonl")
    for record in records:
        curve = json.loads((FOLDER / "learning" / f"{record.identity['encoder']}.json").read_text())
        last[record.method] = f"{curve['validation'][-1]:.1f}"
    text = (REPOSITORY / "docs" / "students.md").read_text()
    told = re.findall(r"^\| change .*?\n\n", text, flags=re.MULTILINE | re.DOTALL)[0]
    assert re.findall(r"\b\d\d\.\d\b", told) == [last[method] for method in SHOWN]
    assert f"the plain one has {last['plain']}" in text
    assert set(last) == {*SHOWN, "plain", "two_views"}
