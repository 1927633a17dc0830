"""Run data sets x seeds x shots x methods, on many workers, and print the table.

    syntrans sweep --gin syntrans_cifarfs_cpu.gin syntrans_cub.gin \\
        --seeds 0 1 2 --shots 1 5 --methods protonet_cosine syntrans --out results/sweep --workers 4

A gin file stands for a data set; a cell is one of its methods at one seed and number of shots.
One worker is this process; more are Ray's (the extra: pip install "syntrans-l2l[cluster]"). A
worker that dies is replaced and its cell run again. Starting again re-uses every finished record;
data and finished stages lie where `syntrans run` has them, and all workers share them. Several
seeds end in one table of means and standard deviations.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from syntrans_l2l.cli.cells import Cell, Place, cells_here, cells_on_ray
from syntrans_l2l.cli.common import add_device, add_set, device, guarded, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check all, run all, report; 1 where cells failed, 2 after bad input."""
    arguments = _parser().parse_args(argv)
    return guarded(lambda: _sweep(arguments))


def _sweep(arguments: argparse.Namespace) -> int:
    # imported after the arguments are read: --help needs none of it
    from syntrans_l2l.cli.commit import commit
    from syntrans_l2l.places import Places
    from syntrans_l2l.reporting.records import RecordStore
    from syntrans_l2l.reporting.versions import package_versions

    places, out = Places.of(), arguments.out.resolve()
    versions = {**package_versions(), "commit": commit()}
    place = Place(
        root=places.root, cache=places.cache, out=out, versions=versions, device=arguments.device
    )
    one_by_one = arguments.workers == 1 and not arguments.address
    if arguments.workers < 1:
        raise ValueError("--workers must be at least 1")
    if one_by_one:
        device(arguments.device)
    cells = make_cells(arguments, places.root)
    RecordStore(out)
    if one_by_one:
        ran = cells_here(cells, place)
    else:
        ran = cells_on_ray(
            cells,
            place,
            workers=arguments.workers,
            address=arguments.address,
            gpus=arguments.gpus,
        )
    failed = []
    for cell, problem in tqdm(ran, total=len(cells), desc="cells", unit="cell"):
        if problem:
            failed.append(f"failed: {cell}: {problem}")
            tqdm.write(failed[-1], file=sys.stderr)
    if len(failed) < len(cells):
        _report(out)
    print(f"{len(cells) - len(failed)} of {len(cells)} cells done; records in {out}")
    return 1 if failed else 0


def _report(out: Path) -> None:
    """Print one table: over the seeds where there are several; table.md has each seed's too."""
    from syntrans_l2l.reporting.collection import boards, collect, newest
    from syntrans_l2l.reporting.records import read_accuracies
    from syntrans_l2l.reporting.render import markdown
    from syntrans_l2l.reporting.seeds import over_seeds
    from syntrans_l2l.reporting.tables import leaderboard
    from syntrans_l2l.reporting.terminal import terminal

    found, problems = collect([out])
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    made = boards(newest(found)[0])
    each = [leaderboard(board, read_accuracies) for board in made]
    spread = over_seeds(made)
    (out / "table.md").write_text(markdown([*spread, *each]), encoding="utf-8")
    print(f"{terminal(spread or each)}\n")
    print(f"All columns: {out / 'table.md'}")


def make_cells(arguments: argparse.Namespace, root: Path) -> list[Cell]:
    """All cells, references before what is compared with them, each gin file checked once a seed.

    Raises:
        FileNotFoundError, ImportError, ValueError: what any of the experiments would fail of.
    """
    from syntrans_l2l.experiment.config import load_experiment
    from syntrans_l2l.experiment.gin_files import configuration_file

    cells, names = [], set[str]()
    for gin in arguments.gin:
        for seed in arguments.seeds or [None]:
            bindings = list(arguments.set)
            if seed is not None:
                bindings.append(f"Experiment.seed = {seed}")
            if arguments.shots:
                bindings.append(f"Experiment.shots = {arguments.shots}")
            experiment = load_experiment(gin, bindings)
            experiment.check(root)
            titles = [row.title for row in experiment.rows]
            names.update(titles)
            kept = [title for title in titles if title in (arguments.methods or titles)]
            cells += [
                Cell(
                    gin=configuration_file(gin).resolve(),
                    bindings=tuple(bindings),
                    seed=experiment.seed,
                    shots=shots,
                    method=title,
                )
                for title in sorted(kept, key=lambda title: title != experiment.reference)
                for shots in experiment.shots
            ]
    if unknown := set(arguments.methods or ()) - names:
        raise ValueError(f"--methods names {sorted(unknown)}, which are no rows; rows: {names}")
    return list(dict.fromkeys(cells))


def _parser() -> argparse.ArgumentParser:
    made = parser("sweep", __doc__)
    made.add_argument(
        "--gin", type=Path, nargs="+", required=True, metavar="FILE", help="the experiments"
    )
    made.add_argument("--seeds", type=int, nargs="+", metavar="S", help="(default: the file's)")
    made.add_argument("--shots", type=int, nargs="+", metavar="K", help="(default: the file's)")
    made.add_argument("--methods", nargs="+", metavar="ROW", help="(default: all rows)")
    add_set(made)
    add_device(made)
    made.add_argument(
        "--out",
        type=Path,
        default=Path("results/sweep"),
        metavar="DIR",
        help="folder for results.jsonl and table.md (default: results/sweep)",
    )
    made.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes (default: this one)"
    )
    made.add_argument(
        "--address",
        metavar="HOST:PORT",
        help='of a running Ray cluster ("auto": the one here), whose machines share all folders',
    )
    made.add_argument(
        "--gpus", type=float, default=0, metavar="G", help="of a GPU that a cell holds (default: 0)"
    )
    return made
