"""Run the experiment that a gin file describes, and print its table.

    python benchmarks/run.py --gin gin/syntrans_cifarfs_cpu.gin --set "VECTORS='file.npz'"

Data lie under $SYNTRANS_DATA (default ~/data), finished stages under $SYNTRANS_CACHE (default
$SYNTRANS_DATA/syntrans_cache). Starting again re-uses every finished stage; a killed run resumes.
"""

import argparse
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> int:
    """Parse, check, run, report; 0 when all went well, 2 after bad input."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    data_root = Path(os.environ.get("SYNTRANS_DATA", "~/data")).expanduser()
    cache_root = Path(os.environ.get("SYNTRANS_CACHE", data_root / "syntrans_cache")).expanduser()

    # imported after the arguments are read: --help needs none of it
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.config import load_experiment, operative_config
    from syntrans_l2l.reporting.collection import boards
    from syntrans_l2l.reporting.comparisons import compare
    from syntrans_l2l.reporting.records import RecordStore
    from syntrans_l2l.reporting.render import markdown, terminal
    from syntrans_l2l.reporting.tables import leaderboard
    from syntrans_l2l.reporting.versions import package_versions

    try:
        experiment = load_experiment(arguments.gin, arguments.set)
        store = RecordStore(arguments.out)
        experiment.check(data_root)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    import torch

    config = operative_config()
    (arguments.out / "operative_config.gin").write_text(config)
    start = time.perf_counter()
    table = arguments.out / "table.md"
    records = []
    for record in experiment.run(
        root=data_root,
        cache=Cache(cache_root),
        store=store,
        config=config,
        versions={**package_versions(), "commit": _commit()},
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        progress=_bar,
    ):
        records.append(record)
        [board] = boards(records)
        grids = [leaderboard(board, store.accuracies, details=True)]
        table.write_text(markdown(grids))
    if experiment.comparisons:
        grids.append(compare(board, experiment.comparisons, store.accuracies))
        table.write_text(markdown(grids))
    print(f"\n{terminal(grids)}\n")
    minutes = (time.perf_counter() - start) / 60
    print(f"{minutes:.1f} minutes; records in {store.path}, table in {table}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gin", type=Path, required=True, metavar="FILE", help="the experiment")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="BINDING",
        help='a further gin binding, such as "Experiment.episodes = 600"; may be repeated',
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="folder for results.jsonl, table.md and operative_config.gin (default: results)",
    )
    return parser


@contextmanager
def _bar(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Callable[[int], object]]:
    """One progress bar a stage, with speed and time left."""
    with tqdm(
        desc=stage, total=total, unit=unit, initial=done, unit_scale=True, mininterval=0.5
    ) as bar:
        yield bar.update


def _commit() -> str:
    """The commit that these numbers come from, marked where the tree has changes."""
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(git, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
