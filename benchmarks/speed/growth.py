"""Measure how the cost of an episode grows, and draw it.

    python benchmarks/speed/growth.py --json benchmarks/records/growth.json \
        --png benchmarks/speed/growth.png --readme benchmarks/speed/README.md

Seconds for drawing and evaluating episodes with cosine ProtoNet and SynTrans, one size changed at a
time from 5-way 1-shot, 15 queries, 20 classes of 600 images, D = 640. What SynTrans computes once
for the test images is a line of its own.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from machine import machine
from tqdm import tqdm
from workload import clustered, protonet, syntrans

from syntrans_l2l.episodes.sampler import stream_episodes
from syntrans_l2l.evaluation.evaluate import stream_accuracies
from syntrans_l2l.reporting.grid import Grid
from syntrans_l2l.reporting.readme import GROWTH, refreshed
from syntrans_l2l.reporting.render import markdown
from syntrans_l2l.reporting.terminal import terminal

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
    grid: dict[str, Sequence[int]], base: dict[str, int], rounds: int = 7
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
    prototypes = protonet(split)
    start = time.perf_counter()
    ours = syntrans(split, 512)
    stream_accuracies({"syntrans": ours}, episodes)  # bridges images, makes the shots' weights
    once = time.perf_counter() - start
    return {
        "drawing": timed(sample, rounds),
        "protonet": timed(lambda: stream_accuracies({"p": prototypes}, episodes), rounds),
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


def slopes(result: dict[str, Any]) -> Grid:
    """Of the lines between the least and the greatest size, on logarithmic axes."""
    found = result["seconds"]
    parts = [part for part in next(iter(found.values()))[0] if part != "value"]
    caption = (
        f"Slopes from the least to the greatest size. {result['machine']}, {result['date']}; "
        f"torch {result['versions']['torch']}."
    )
    return Grid(
        caption,
        ["", *(NAMES.get(name, name) for name in found)],
        [[[part, *(slope(points, part) for points in found.values())] for part in parts]],
    )


def slope(points: Sequence[dict[str, float]], part: str) -> str:
    """How often the cost doubles where the size doubles: 0 not at all, 1 linear."""
    cost = math.log(points[-1][part] / points[0][part])
    return f"{cost / math.log(points[-1]['value'] / points[0]['value']):.2f}"


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
    parts = panels[0].get_legend_handles_labels()
    figure.legend(*parts, loc="lower center", ncols=len(parts[1]), fontsize=8, frameon=False)
    figure.suptitle(caption, fontsize=8)
    figure.tight_layout(rect=(0, 0.06, 1, 1))  # the legend below, over no line
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
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="refresh the block of growth in this file"
    )
    arguments = parser.parse_args(argv)
    result: dict[str, Any] = {"base": BASE, **machine(), "seconds": grow(dict(GRID), BASE)}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.png:
        draw(result["seconds"], arguments.png, f"{result['machine']}, {result['date']}")
    if arguments.readme:
        text = arguments.readme.read_text(encoding="utf-8")
        block = markdown([slopes(result)])
        arguments.readme.write_text(refreshed(text, GROWTH, block), encoding="utf-8")
    print(terminal([slopes(result)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
