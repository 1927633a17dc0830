"""Run the experiment that a gin file describes, and print its table.

    python benchmarks/run.py --gin gin/syntrans_cifarfs_cpu.gin --set "VECTORS='file.npz'"
    python benchmarks/run.py check-data --gin gin/datasets/mini.gin [--download]
    python benchmarks/run.py export-features --gin gin/syntrans_cifarfs_cpu.gin

check-data says what there is of a data set, what is missing and how to get it. export-features
writes the features of a run's encoder as a file for FeatureBenchmark.

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
    """Parse, then do what is asked; 0 when all went well, 1 for missing data, 2 for bad input."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    data_root = Path(os.environ.get("SYNTRANS_DATA", "~/data")).expanduser()
    cache_root = Path(os.environ.get("SYNTRANS_CACHE", data_root / "syntrans_cache")).expanduser()
    try:
        if arguments.command == "run":
            return _run(arguments, data_root, cache_root)
        if arguments.command == "check-data":
            return _check_data(arguments, data_root)
        return _export_features(arguments, data_root, cache_root)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace, data_root: Path, cache_root: Path) -> int:
    """Check, run, report."""
    # imported after the arguments are read: --help needs none of it
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.experiment.config import load_experiment, load_workers, operative_config
    from syntrans_l2l.progress import silent
    from syntrans_l2l.reporting.collection import boards
    from syntrans_l2l.reporting.comparisons import compare
    from syntrans_l2l.reporting.records import RecordStore
    from syntrans_l2l.reporting.render import markdown, terminal
    from syntrans_l2l.reporting.tables import leaderboard
    from syntrans_l2l.reporting.versions import package_versions
    from syntrans_l2l.training.workers import ALONE

    experiment = load_experiment(arguments.gin, arguments.set)
    store = RecordStore(arguments.out)
    experiment.check(data_root)

    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    workers = ALONE
    if (arguments.devices, arguments.nodes) != (1, 1):
        if min(arguments.devices, arguments.nodes) < 1:
            raise ValueError("--devices and --nodes must be at least 1")
        workers = fabric = load_workers(arguments.devices, arguments.nodes)
        device = fabric.device
    logging.getLogger("syntrans_l2l.training.speed").setLevel(logging.INFO)
    config = operative_config()
    if workers.rank == 0:
        (arguments.out / "operative_config.gin").write_text(config)
    start = time.perf_counter()
    table = arguments.out / "table.md"
    records = []
    for record in experiment.run(
        root=data_root,
        cache=Cache(cache_root),
        store=store,
        config=config,
        versions={**package_versions(), "commit": commit()},
        device=device,
        progress=bar if workers.rank == 0 else silent,
        workers=workers,
    ):
        records.append(record)
        [board] = boards(records)
        grids = [leaderboard(board, store.accuracies, details=True)]
        table.write_text(markdown(grids))
    if workers.rank > 0:
        return 0
    if experiment.comparisons:
        grids.append(compare(board, experiment.comparisons, store.accuracies))
        table.write_text(markdown(grids))
    print(f"\n{terminal(grids)}\n")
    minutes = (time.perf_counter() - start) / 60
    print(f"{minutes:.1f} minutes; records in {store.path}, table in {table}")
    return 0


def _check_data(arguments: argparse.Namespace, data_root: Path) -> int:
    """Say what there is; download first where that is asked for."""
    from syntrans_l2l.datasets.sources import SOURCES, download
    from syntrans_l2l.experiment.config import load_dataset

    dataset = load_dataset(arguments.gin, arguments.set)
    try:
        counts = dataset.class_counts(data_root)
    except FileNotFoundError as error:
        if arguments.download:
            title = download(dataset.name, data_root, bar)
            print(f"downloaded {dataset.name} from {title}")
            counts = dataset.class_counts(data_root)
        else:
            print(f"{dataset.name} is missing: {str(error).partition('; ')[0]}")
            for source in SOURCES.get(dataset.name, ()):
                print(f"  from {source.title}, {source.size}; by hand:")
                print("".join(f"    {place}\n" for place in source.places(data_root)), end="")
            if dataset.name in SOURCES:
                print("  or let --download fetch it from the first of these that gives it")
            return 1
    print(f"{dataset.name} is there, below {data_root}")
    for split, classes in counts.items():
        print(f"  {split}: {len(classes)} classes, {sum(classes.values()):,} images")
    return 0


def _export_features(arguments: argparse.Namespace, data_root: Path, cache_root: Path) -> int:
    """Write an encoder's features, trained first where the cache does not hold it."""
    import torch

    from syntrans_l2l.cache import Cache
    from syntrans_l2l.datasets.features import save_features
    from syntrans_l2l.experiment.config import load_experiment

    experiment = load_experiment(arguments.gin, arguments.set)
    experiment.check(data_root)
    prepared = experiment.prepare(
        root=data_root,
        cache=Cache(cache_root),
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        progress=bar,
    )
    encoded = prepared.encoded(arguments.encoder)
    path = arguments.out / f"features_{arguments.encoder}.safetensors"
    save_features(path, prepared.students.data, encoded.features, encoded.name)
    print(f"features of {encoded.name} in {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("run", "check-data", "export-features"),
        default="run",
        help="what to do (default: run)",
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
    parser.add_argument(
        "--devices", type=int, default=1, metavar="N", help="train students on N devices"
    )
    parser.add_argument("--nodes", type=int, default=1, metavar="M", help="of each of M machines")
    parser.add_argument("--download", action="store_true", help="check-data: fetch what is missing")
    parser.add_argument(
        "--encoder",
        choices=("base", "distilled", "teacher"),
        default="base",
        help="export-features: whose features (default: base)",
    )
    return parser


@contextmanager
def bar(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Callable[[int], object]]:
    """One progress bar a stage, with speed and time left."""
    with tqdm(
        desc=stage, total=total, unit=unit, initial=done, unit_scale=True, mininterval=0.5
    ) as bar:
        yield bar.update


def commit() -> str:
    """The commit that these numbers come from, marked where the tree has changes."""
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(git, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
