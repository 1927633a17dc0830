"""Run the experiment that a gin file describes: print each figure when it is known, and a table.

    syntrans run --gin syntrans_demo.gin
    syntrans run --gin own.gin --set "VECTORS = 'file.npz'" --out results/own

A gin file is found by its path, a shipped one by its short name. Data lie under $SYNTRANS_DATA
(default ~/data), finished stages under $SYNTRANS_CACHE (default $SYNTRANS_DATA/syntrans_cache).
Starting again re-uses every finished stage; a killed run resumes.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from syntrans_l2l.cli.common import add_device, add_gin, device, guarded, parser

if TYPE_CHECKING:
    from syntrans_l2l.reporting.records import Record


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, then check, run and report; 0 when all went well, 2 after bad input."""
    arguments = _parser().parse_args(argv)
    return guarded(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    # imported after the arguments are read: --help needs none of it
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.cli.bars import bar
    from syntrans_l2l.cli.commit import commit
    from syntrans_l2l.experiment.config import load_experiment, load_workers, operative_config
    from syntrans_l2l.places import Places
    from syntrans_l2l.progress import silent
    from syntrans_l2l.reporting.collection import boards
    from syntrans_l2l.reporting.comparisons import compare
    from syntrans_l2l.reporting.records import RecordStore
    from syntrans_l2l.reporting.render import markdown
    from syntrans_l2l.reporting.tables import leaderboard
    from syntrans_l2l.reporting.terminal import terminal
    from syntrans_l2l.reporting.versions import package_versions
    from syntrans_l2l.training.workers import ALONE

    places = Places.of()
    chosen = device(arguments.device)
    experiment = load_experiment(arguments.gin, arguments.set)
    store = RecordStore(arguments.out)
    experiment.check(places.root)
    workers = ALONE
    if (arguments.devices, arguments.nodes) != (1, 1):
        if min(arguments.devices, arguments.nodes) < 1:
            raise ValueError("--devices and --nodes must be at least 1")
        if arguments.device:
            raise ValueError("--device names one; with --devices bind FabricWorkers.accelerator")
        workers = fabric = load_workers(arguments.devices, arguments.nodes)
        chosen = fabric.device
    logging.getLogger("syntrans_l2l.training.speed").setLevel(logging.INFO)
    config = operative_config()
    if workers.rank == 0:
        (arguments.out / "operative_config.gin").write_text(config, encoding="utf-8")
    start = time.perf_counter()
    table = arguments.out / "table.md"
    records = []
    for record in experiment.run(
        root=places.root,
        cache=Cache(places.cache),
        store=store,
        config=config,
        versions={**package_versions(), "commit": commit()},
        device=chosen,
        progress=bar if workers.rank == 0 else silent,
        workers=workers,
    ):
        records.append(record)
        print(_line(record), flush=True)
        [board] = boards(records)
        grids = [leaderboard(board, store.accuracies, details=True)]
        table.write_text(markdown(grids), encoding="utf-8")
    if workers.rank > 0:
        return 0
    if experiment.comparisons:
        grids.append(compare(board, experiment.comparisons, store.accuracies))
        table.write_text(markdown(grids), encoding="utf-8")
    minutes = (time.perf_counter() - start) / 60
    print(f"\n{terminal(grids)}\n")
    print(f"{minutes:.1f} minutes. All columns: {table}")
    print(f"Figures and a page: syntrans leaderboard {arguments.out}")
    return 0


def _line(record: "Record") -> str:
    from syntrans_l2l.reporting.grid import one_line

    row = one_line(record.title or record.method)
    return f"{row}, {record.shots}-shot: {record.accuracy:.2f} ± {record.ci95:.2f}"


def _parser() -> argparse.ArgumentParser:
    made = parser("run", __doc__)
    add_gin(made)
    add_device(made)
    made.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="folder for results.jsonl, table.md and operative_config.gin (default: results)",
    )
    made.add_argument(
        "--devices", type=int, default=1, metavar="N", help="train students on N devices"
    )
    made.add_argument("--nodes", type=int, default=1, metavar="M", help="of each of M machines")
    return made
