"""Measure the memory that streaming so many episodes of cosine ProtoNet needs.

    python benchmarks/speed/streamed_memory.py 1000000

prints JSON; a process of its own, so that nothing else counts.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from workload import clustered, protonet

from syntrans_l2l.episodes.sampler import stream_episodes
from syntrans_l2l.evaluation.evaluate import stream_accuracies


def stream(
    episodes: int, classes: int = 20, images: int = 600, width: int = 640
) -> dict[str, float]:
    """The greatest resident size of this process before and after, and the seconds between."""
    before, start = _peak_bytes(), time.perf_counter()
    split = clustered(classes, images, width)
    drawn = stream_episodes(split, ways=5, shots=1, queries=15, count=episodes, seed=0)
    stream_accuracies({"protonet": protonet(split)}, drawn)
    return {
        "peak_memory_bytes": _peak_bytes(),
        "imported_memory_bytes": before,
        "seconds_streamed": time.perf_counter() - start,
    }


def in_a_process(episodes: int) -> dict[str, float]:
    """`stream` in a process of its own."""
    command = [sys.executable, __file__, str(episodes)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    memory: dict[str, float] = json.loads(result.stdout)
    return memory


def _peak_bytes() -> int:
    """As Linux knows it; getrusage's ru_maxrss would hold that of the parent too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(stream(int(sys.argv[1]))))
