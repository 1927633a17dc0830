"""docs/students.md: its table of validation accuracies, against the records' learning curves."""

import json
import re

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
