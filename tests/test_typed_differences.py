"""Paired differences that pages name in their sentences, against the committed episodes."""

import pytest
from common import REPOSITORY

from syntrans_l2l.evaluation.statistics import paired_ci95
from syntrans_l2l.reporting.records import read_accuracies, read_records

# page, folder of records, and the row that another is taken from
TYPED = [
    ("ablations", "tables/cifarfs_clip", "syntrans", "syntrans_before"),
    ("ablations", "tables/fc100_clip", "syntrans", "syntrans_before"),
    ("ablations", "tables/cifarfs_full", "syntrans", "syntrans_before"),
    ("ablations", "tables/fc100_full", "syntrans", "syntrans_before"),
    ("ablations", "ablations/cifarfs_ablation", "syntrans", "syntrans_before"),
    ("ablations", "ablations/fc100_ablation", "syntrans", "syntrans_before"),
    ("baselines", "baselines/cifarfs", "maml_annealed", "maml"),
    ("cross_domain", "cross/cifarfs_caltech", "syntrans", "syntrans_visual"),
    ("shared_space", "shared_space/caltech", "syntrans", "tip_adapter"),
]


@pytest.mark.parametrize(("page", "folder", "row", "other"), TYPED)
def test_the_page_says_what_the_episodes_say(page: str, folder: str, row: str, other: str) -> None:
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    sentences = text.partition("<!-- results:")[0]
    where = REPOSITORY / "benchmarks" / "records" / folder
    records, _ = read_records(where / "results.jsonl")
    by_cell = {(each.method, each.dataset, each.shots): each for each in records}
    cells = [(name, shots) for method, name, shots in by_cell if method == row]
    assert cells
    for cell in cells:
        first, second = (read_accuracies(by_cell[(of, *cell)], where) for of in (row, other))
        found = paired_ci95(first, second)
        assert f"{found.mean:+.2f} ± {found.ci95:.2f}" in sentences, cell
