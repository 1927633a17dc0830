"""Measure our evaluator against learn2learn's, easyfsl's and the machine's memory.

    python benchmarks/speed/throughput.py --json benchmarks/records/throughput.json \
        --readme docs/performance.md

One process, the same cached features, 5-way 1-shot with 15 queries. All take turns in every
round; a ratio is the median over the rounds of what the same round gave both sides. Features are
drawn, clustered and of unit length, so that cosine and Euclidean ProtoNet agree at one shot; the
networks of SynTrans are untrained there, which costs the same. Stages 3 and 4 are timed apart.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from machine import machine
from peers import easyfsl_loops, learn2learn_loop
from performance import table
from streamed_memory import in_a_process
from torch import Tensor
from tqdm import tqdm
from workload import clustered, fit, protonet, syntrans

from syntrans_l2l.atomic import atomic
from syntrans_l2l.datasets.base import Split
from syntrans_l2l.episodes.episodes import sample_episodes
from syntrans_l2l.episodes.sampler import stream_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.evaluation.evaluate import stream_accuracies
from syntrans_l2l.evaluation.statistics import mean_ci95
from syntrans_l2l.reporting.readme import PERFORMANCE, refreshed
from syntrans_l2l.reporting.render import markdown
from syntrans_l2l.reporting.terminal import terminal
from syntrans_l2l.training.meta import MetaTraining

WAYS, SHOTS, QUERIES = 5, 1, 15


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured: of the data, and episodes a round of each contestant."""

    classes: int = 20
    images: int = 600
    width: int = 640
    semantic: int = 512
    rounds: int = 31  # many: other machines on the same processor slow some of them
    ours: int = 10_000
    described: int = 2_000
    learn2learn: int = 200
    fused: int = 600
    easyfsl: int = 1_000
    both: int = 10_000
    both_rounds: int = 5
    base_classes: int = 64
    fits: int = 3
    iterations: int = MetaTraining.iterations
    streamed: int = 1_000_000
    copied: int = 2**26  # numbers of 4 bytes: far more than any cache holds


def measure(size: Size, streamed: Callable[[int], dict[str, float]]) -> dict[str, Any]:
    """All figures of the table.

    Args:
        size: how much is measured.
        streamed: episodes -> the memory that so many need.

    Raises:
        ValueError: a peer's accuracy differs from ours by more than its 95% CI.
    """
    split = clustered(size.classes, size.images, size.width)
    predict = {"protonet_cosine": protonet(split)}

    def ours(count: int, seed: int) -> Tensor:
        stream = stream_episodes(
            split, ways=WAYS, shots=SHOTS, queries=QUERIES, count=count, seed=seed
        )
        return stream_accuracies(predict, stream)["protonet_cosine"]

    def described(count: int, seed: int) -> Tensor:
        size = EpisodeSize(ways=WAYS, shots=SHOTS, queries=QUERIES, episodes=count)
        drawn = sample_episodes(split, size, seed=seed)
        return stream_accuracies(predict, [drawn])["protonet_cosine"]

    plain = learn2learn_loop(split, fused=False, ways=WAYS, shots=SHOTS, queries=QUERIES)
    fused = learn2learn_loop(split, fused=True, ways=WAYS, shots=SHOTS, queries=QUERIES)
    [*parts] = stream_episodes(
        split, ways=WAYS, shots=SHOTS, queries=QUERIES, count=min(size.easyfsl, 1000), seed=0
    )
    easyfsl, method_alone = easyfsl_loops(split, parts[0])
    contestants: dict[str, tuple[int, Callable[[int], Tensor]]] = {
        "ours": (size.ours, lambda seed: ours(size.ours, seed)),
        "described": (size.described, lambda seed: described(size.described, seed)),
        "l2l": (size.learn2learn, lambda seed: plain(size.learn2learn, seed)),
        "l2l_fused": (size.fused, lambda seed: fused(size.fused, seed)),
        "easyfsl": (len(parts[0]), lambda seed: easyfsl()),
        "easyfsl_method": (len(parts[0]), lambda seed: method_alone()),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    found: dict[str, list[Tensor]] = {name: [] for name in contestants}
    copying, source = [], torch.ones(size.copied)
    for number in tqdm(range(size.rounds + 1), desc="rounds", file=sys.stderr):
        for name, (count, run) in contestants.items():
            start = time.perf_counter()
            accuracies = run(number)
            seconds[name].append((time.perf_counter() - start) / count)
            found[name].append(accuracies)
        copying.append(seconds_of_a_copy(source))
    accuracy = {name: mean_ci95(torch.cat(found[name])) for name in contestants}
    accuracy["easyfsl"] = mean_ci95(found["easyfsl"][0])  # the same episodes every round
    accuracy["easyfsl_method"] = mean_ci95(found["easyfsl_method"][0])
    for name, each in accuracy.items():
        check_same(name, each, accuracy["ours"])

    rounds = slice(1, None)  # the first warms up
    ratios = {
        "ratio_l2l": quotients(seconds["l2l"], seconds["ours"]),
        "ratio_l2l_descriptions": quotients(seconds["l2l"], seconds["described"]),
        "ratio_l2l_fused": quotients(seconds["l2l_fused"], seconds["ours"]),
        "ratio_easyfsl": quotients(seconds["easyfsl"], seconds["ours"]),
        "ratio_easyfsl_method": quotients(seconds["easyfsl_method"], seconds["ours"]),
    }
    images = WAYS * (SHOTS + QUERIES)
    bytes_gathered = images * size.width * 4
    limits = [each / (4 * size.copied) * bytes_gathered for each in copying]
    ratios["fraction_of_memory_limit"] = quotients(limits, seconds["ours"])
    both = [seconds_of_both(split, size) for _ in tqdm(range(size.both_rounds + 1), desc="both")]
    fits = [seconds_of_a_fit(size) for _ in tqdm(range(size.fits), desc="stages 3 and 4")]
    memory = streamed(size.streamed)
    return {
        **{name: median(each[rounds]) for name, each in ratios.items()},
        "episodes_per_second": 1 / median(seconds["ours"][rounds]),
        "episodes_per_second_of_peers": {
            name: 1 / median(each[rounds]) for name, each in seconds.items() if name != "ours"
        },
        "seconds_syntrans_and_protonet": median(both[rounds]),
        "seconds_stages_3_and_4": median(fits),
        **memory,
        "copied_bytes_per_second": 4 * size.copied / median(copying[rounds]),
        "bytes_gathered_per_episode": bytes_gathered,
        "spread": {
            **{name: [min(each[rounds]), max(each[rounds])] for name, each in ratios.items()},
            "seconds_syntrans_and_protonet": [min(both[rounds]), max(both[rounds])],
            "seconds_stages_3_and_4": [min(fits), max(fits)],
        },
        "accuracy": {name: list(each) for name, each in accuracy.items()},
        "size": {"ways": WAYS, "shots": SHOTS, "queries": QUERIES, **asdict(size)},
        **machine(),
    }


def quotients(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """One of each round."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def check_same(name: str, peer: Sequence[float], ours: Sequence[float]) -> None:
    """Raise ValueError where two means [mean, ci95] differ by more than both CIs together."""
    if abs(peer[0] - ours[0]) > peer[1] + ours[1]:
        raise ValueError(
            f"{name} gives {peer[0]:.2f} ± {peer[1]:.2f}, ours {ours[0]:.2f} ± {ours[1]:.2f}: "
            "the two do not do the same, so their times do not compare"
        )


def seconds_of_a_copy(source: Tensor) -> float:
    """From memory to memory, each byte read once and written once, as a gather does it."""
    target = source.clone()
    start = time.perf_counter()
    target.copy_(source)
    return time.perf_counter() - start


def seconds_of_both(split: Split, size: Size) -> float:
    """SynTrans and ProtoNet over the same episodes, sampling and bridging included."""
    start = time.perf_counter()
    predicts = {"syntrans": syntrans(split, size.semantic), "protonet": protonet(split)}
    stream_accuracies(
        predicts,
        stream_episodes(split, ways=WAYS, shots=SHOTS, queries=QUERIES, count=size.both, seed=0),
    )
    return time.perf_counter() - start


def seconds_of_a_fit(size: Size) -> float:
    """Stages 3 and 4 on the features of base classes."""
    base = clustered(size.base_classes, size.images, size.width)
    start = time.perf_counter()
    fit(base, size.semantic, size.iterations)
    return time.perf_counter() - start


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, or show what was measured."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.show:
            result = json.loads(arguments.show.read_text(encoding="utf-8"))
        else:
            result = measure(Size(), in_a_process)
        if arguments.json:
            with atomic(arguments.json) as partial:
                partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        if arguments.readme:
            text = arguments.readme.read_text(encoding="utf-8")
            block = markdown([table(result)])
            arguments.readme.write_text(refreshed(text, PERFORMANCE, block), encoding="utf-8")
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(terminal([table(result)]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument(
        "--show", type=Path, metavar="FILE", help="measure nothing: what --json wrote"
    )
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="refresh the block of performance in this file"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
