"""Measure a training step alone and beside a neighbour, with and without threads that give way.

    python benchmarks/speed/neighbour.py --json benchmarks/records/neighbour.json \\
        --readme docs/performance.md

A width-16 ResNet-12 takes SGD steps on drawn images of 32 px with two threads; the neighbour is
another process of two threads that does the same. Every setting of the environment is measured in
a process of its own, all in turn in every round; a figure is the median of the rounds, a ratio
that of two settings in the same round.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from syntrans_l2l.atomic import atomic
from syntrans_l2l.reporting.grid import Grid
from syntrans_l2l.reporting.readme import NEIGHBOUR, refreshed
from syntrans_l2l.reporting.render import markdown

Figures = dict[str, dict[str, list[float]]]  # by setting and by "alone" or "beside": the rounds
THREADS, BATCH, WIDTH, CLASSES = 2, 64, 16, 64
CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "torch's default": {},
    "GOMP_SPINCOUNT=1000, the commands' default": {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
}


def measure(rounds: int, seconds: float) -> Figures:
    """Images a second of each setting, alone and beside a neighbour of the same setting."""
    found: Figures = {name: {"alone": [], "beside": []} for name in SETTINGS}
    for _ in range(rounds):
        for name, setting in SETTINGS.items():
            environment = {k: v for k, v in os.environ.items() if k not in CHOICES} | dict(setting)
            found[name]["alone"].append(images_per_second(seconds, environment))
            neighbour = subprocess.Popen(
                _command(1e9), env=environment, stdout=subprocess.PIPE, text=True
            )
            try:
                assert neighbour.stdout is not None
                neighbour.stdout.readline()  # it has begun
                found[name]["beside"].append(images_per_second(seconds, environment))
            finally:
                neighbour.kill()
                neighbour.wait()
    return found


def table(result: dict[str, Any]) -> Grid:
    """A row a setting: images a second, and the ratios to the first setting."""
    figures: Figures = result["images_per_second"]
    before = next(iter(figures.values()))
    rows = []
    for name, parts in figures.items():
        speeds = [f"{median(parts[where]):.0f}" for where in ("alone", "beside")]
        ratios = [
            f"{median(new / old for new, old in zip(parts[where], before[where], strict=True)):.2f}"
            for where in ("alone", "beside")
        ]
        rows.append([name, *speeds, *ratios])
    caption = (
        f"Images a second of a training step, alone and beside another such process; medians of "
        f"{len(before['alone'])} rounds, ratios to the first row in the same round. "
        f"{result['machine']}, {result['date']}; torch {result['versions']['torch']}."
    )
    return Grid(caption, ["threads wait", "alone", "beside", "ratio alone", "beside"], [rows])


def images_per_second(seconds: float, environment: Mapping[str, str]) -> float:
    """Of a process of its own."""
    done = subprocess.run(
        _command(seconds), env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout.split()[-1])


def step(seconds: float) -> None:
    """Train for so long; print "begun" after the warm-up and images a second at the end."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    from syntrans_l2l.networks.resnet12 import ResNet12

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = nn.Sequential(ResNet12(WIDTH), nn.LazyLinear(CLASSES))
    images, labels = torch.rand(BATCH, 3, 32, 32), torch.randint(CLASSES, (BATCH,))
    model(images)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    steps, start = 0, 0.0
    while steps < 3 or time.perf_counter() - start < seconds:
        if steps == 2:
            print("begun", flush=True)
            start = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        steps += 1
    print(BATCH * (steps - 2) / (time.perf_counter() - start))


def _command(seconds: float) -> list[str]:
    return [sys.executable, __file__, "--step", str(seconds)]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print, or be one of the measured processes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="refresh the block in this")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="(default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="of a measurement (default: 10)"
    )
    parser.add_argument("--step", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.step is not None:
        step(arguments.step)
        return 0
    from machine import machine

    figures = measure(arguments.rounds, arguments.seconds)
    result = {**machine(), "images_per_second": figures}
    block = markdown([table(result)])
    print(block)
    if arguments.json:
        with atomic(arguments.json) as partial:
            partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.readme:
        text = arguments.readme.read_text(encoding="utf-8")
        arguments.readme.write_text(refreshed(text, NEIGHBOUR, block), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
