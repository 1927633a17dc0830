"""Measure how the cost of an episode grows, and draw it.

    python benchmarks/growth.py --json benchmarks/records/growth.json --png growth.png

Seconds for drawing and evaluating episodes with cosine ProtoNet and SynTrans, one size changed at a
time from 5-way 1-shot, 15 queries, 20 classes of 600 images, D = 640. What SynTrans computes once
for the test images is a line of its own.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from machine import machine
from tqdm import tqdm
from workload import clustered, protonet, syntrans

from syntrans_l2l.evaluation.evaluate import stream_accuracies
from syntrans_l2l.evaluation.sampler import stream_episodes

BASE = {"classes": 20, "images": 600, "episodes": 1000, "ways": 5, "width": 640}
GRID = {
    "classes": (20, 60, 200, 600),  # of 60 images each, so that memory stays small
    "images": (60, 200, 600, 2000),
    "episodes": (1000, 3000, 10_000),
    "ways": (2, 5, 10, 20),
    "width": (160, 320, 640, 1280),
}
NAMES = {"images": "images a class", "width": "D"}


def grow(
    grid: dict[str, Sequence[int]], base: dict[str, int], rounds: int = 3
) -> dict[str, list[dict[str, float]]]:
    """For each size its values, with the seconds of each part: the median of the rounds."""
    found: dict[str, list[dict[str, float]]] = {}
    for name, values in tqdm(grid.items(), file=sys.stderr):
        found[name] = []
        for value in values:
            size = {**base, name: value}
            if name == "classes":
                size["images"] = min(60, base["images"])
            found[name].append({"value": value, **seconds(size, rounds)})
    return found


def seconds(size: dict[str, int], rounds: int) -> dict[str, float]:
    """Seconds of drawing episodes, of ProtoNet, of SynTrans, and of SynTrans' first pass."""
    split = clustered(size["classes"], size["images"], size["width"])
    count = size["episodes"]

    def sample() -> object:
        stream = stream_episodes(split, ways=size["ways"], shots=1, queries=15, count=count, seed=0)
        return list(stream)

    episodes: Any = sample()
    start = time.perf_counter()
    ours = syntrans(split, 512)
    stream_accuracies({"syntrans": ours}, episodes)  # bridges images, makes the shots' weights
    once = time.perf_counter() - start
    return {
        "drawing": timed(sample, rounds),
        "protonet": timed(lambda: stream_accuracies({"p": protonet(split)}, episodes), rounds),
        "syntrans": timed(lambda: stream_accuracies({"s": ours}, episodes), rounds),
        "syntrans, first time": once,
    }


def timed(run: Callable[[], object], rounds: int) -> float:
    """The median, after a warm-up."""
    run()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return median(found)


def draw(found: dict[str, list[dict[str, float]]], where: Path, caption: str) -> None:
    """One panel a size, both axes logarithmic: slope 1 is linear growth, slope 0 none."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(3 * len(found), 3), sharey=True)
    for panel, (name, points) in zip(panels, found.items(), strict=True):
        values = [point["value"] for point in points]
        for part in points[0]:
            if part != "value":
                panel.plot(values, [point[part] for point in points], marker="o", label=part)
        panel.set(xscale="log", yscale="log", xlabel=NAMES.get(name, name))
        panel.set_xticks(values, [f"{value:,}" for value in values])
        panel.minorticks_off()
    panels[0].set_ylabel("seconds")
    panels[0].legend(fontsize=7)
    figure.suptitle(caption, fontsize=8)
    figure.tight_layout()
    where.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(where, dpi=120)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--json", type=Path, required=True, metavar="FILE", help="write figures here"
    )
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw them here")
    arguments = parser.parse_args(argv)
    result: dict[str, Any] = {"base": BASE, **machine(), "seconds": grow(dict(GRID), BASE)}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.png:
        draw(result["seconds"], arguments.png, f"{result['machine']}, {result['date']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
