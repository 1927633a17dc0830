"""The benchmarks of speed at tiny size: what they say, not how fast."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from common import REPOSITORY
from growth import draw, grow, slopes
from performance import ROWS, table
from streamed_memory import in_a_process, stream
from throughput import Size, check_same, main, measure
from workload import clustered, protonet

from syntrans_l2l.episodes.sampler import stream_episodes
from syntrans_l2l.evaluation.evaluate import stream_accuracies
from syntrans_l2l.reporting.readme import END, GROWTH, PERFORMANCE, refreshed
from syntrans_l2l.reporting.render import markdown

TINY = Size(
    classes=6, images=30, width=128, semantic=8, rounds=2, ours=600, described=60, learn2learn=60,
    fused=60, easyfsl=40, both=40, both_rounds=1, base_classes=20, fits=1,
    iterations=4, streamed=2000, copied=2**16,
)  # fmt: skip
RECORD = REPOSITORY / "benchmarks" / "records" / "throughput.json"


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    measured = measure(TINY, lambda episodes: stream(episodes, 6, 30, 128))
    content: dict[str, Any] = json.loads(json.dumps(measured))  # as it comes from the file
    return content


def test_all_figures_are_there(result: dict[str, Any]) -> None:
    keys = {
        "ratio_l2l", "ratio_l2l_descriptions", "ratio_l2l_fused", "ratio_easyfsl",
        "fraction_of_memory_limit", "episodes_per_second", "peak_memory_bytes",
        "seconds_syntrans_and_protonet", "seconds_stages_3_and_4",
    }  # fmt: skip
    assert keys <= set(result) and set(ROWS) == set(result["spread"])
    assert all(math.isfinite(result[key]) and result[key] > 0 for key in keys)
    for key, (low, high) in result["spread"].items():
        assert low <= result[key] <= high
    assert 2**26 < result["imported_memory_bytes"] <= result["peak_memory_bytes"] < 2**35
    assert result["bytes_gathered_per_episode"] == 5 * 16 * 128 * 4
    assert set(result["versions"]) == {"python", "torch", "learn2learn", "easyfsl"}


def test_peers_that_do_something_else_are_not_timed(result: dict[str, Any]) -> None:
    ours = result["accuracy"]["ours"]
    assert 30 < ours[0] < 99.9  # a difference could show
    for name, peer in result["accuracy"].items():
        check_same(name, peer, ours)
    with pytest.raises(ValueError, match="times do not compare"):
        check_same("other", [ours[0] + 9, 1.0], ours)


def test_easyfsl_gives_our_accuracy_on_the_same_episodes() -> None:
    from peers import easyfsl_loops

    split = clustered(6, 20, 64)
    [episodes] = stream_episodes(split, ways=5, shots=1, queries=15, count=30, seed=0)
    ours = stream_accuracies({"ours": protonet(split)}, [episodes])["ours"]
    for loop in easyfsl_loops(split, episodes):
        torch.testing.assert_close(loop().double(), ours)


def test_the_table_and_the_readme_block(result: dict[str, Any], tmp_path: Path) -> None:
    grid = table(result)
    assert len(grid.rows) == len(ROWS) + 2 and result["date"] in grid.caption
    measured, readme = tmp_path / "result.json", tmp_path / "README.md"
    measured.write_text(json.dumps(result))
    readme.write_text(f"before\n{PERFORMANCE}\n{END}\nafter\n")
    for _ in range(2):
        assert main(["--show", str(measured), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert text.count("| ours / easyfsl, its sampling not timed |") == 1


def test_the_page_agrees_with_the_committed_figures(tmp_path: Path) -> None:
    page, copy = REPOSITORY / "docs" / "performance.md", tmp_path / "performance.md"
    copy.write_text(page.read_text())
    assert main(["--show", str(RECORD), "--readme", str(copy)]) == 0
    agrees = copy.read_text() == page.read_text()
    assert agrees, (
        f"run benchmarks/speed/throughput.py --show {RECORD} --readme docs/performance.md"
    )


def test_a_missing_file_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--show", str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_memory_of_a_child_is_its_own() -> None:
    """Not that of this process, which has more: here 1 GiB."""
    held = torch.ones(2**28)
    memory = in_a_process(100)
    assert memory["imported_memory_bytes"] < 4 * len(held)


def test_growth_has_a_point_for_every_value(tmp_path: Path) -> None:
    base = {"classes": 6, "images": 20, "episodes": 20, "ways": 3, "width": 16}
    found = grow({"classes": (6, 8), "ways": (2, 3)}, base, rounds=1)
    assert [point["value"] for point in found["classes"]] == [6, 8]
    assert all(seconds > 0 for points in found.values() for p in points for seconds in p.values())
    draw(found, tmp_path / "growth.png", "here")
    assert (tmp_path / "growth.png").stat().st_size > 1000


def test_the_slope_of_linear_growth_is_one() -> None:
    points = [{"value": float(v), "linear": 3.0 * v, "square": 2.0 * v * v, "flat": 5.0}
              for v in (1, 4, 16)]  # fmt: skip
    result = {"seconds": {"width": points}, "machine": "M", "date": "today",
              "versions": {"torch": "2"}}  # fmt: skip
    grid = slopes(result)
    assert grid.header == ["", "D"]
    assert grid.rows == [["linear", "1.00"], ["square", "2.00"], ["flat", "0.00"]]


def test_the_slopes_agree_with_the_committed_figures() -> None:
    result = json.loads((RECORD.parent / "growth.json").read_text())
    text = (REPOSITORY / "benchmarks" / "speed" / "README.md").read_text()
    assert refreshed(text, GROWTH, markdown([slopes(result)])) == text, (
        "run benchmarks/speed/growth.py"
    )
