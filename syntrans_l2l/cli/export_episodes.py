"""Write the test episodes of an experiment, for code that knows nothing of this package.

    syntrans export-episodes --gin syntrans_cifarfs_cpu.gin --out episodes

makes episodes_1shot.npz and episodes_1shot.json for each number of shots: two forms of the same.
Both hold class_names, images (a file or a row number each), and, as places in these two lists,
class_ids [E, N], support [E, N, K] and query [E, N, Q]. Queries are answered in the order of
query, class after class; labels [N*Q] are the right answers. Nothing is trained.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from syntrans_l2l.cli.common import add_gin, guarded, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, draw, write; 0 when all went well, 2 after bad input."""
    arguments = _parser().parse_args(argv)
    return guarded(lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> int:
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.cli.bars import bar
    from syntrans_l2l.experiment.config import load_experiment
    from syntrans_l2l.experiment.exported import exported_episodes
    from syntrans_l2l.places import Places

    places = Places.of()
    experiment = load_experiment(arguments.gin, arguments.set)
    for file in exported_episodes(
        experiment, root=places.root, cache=Cache(places.cache), progress=bar
    ):
        shots = file.episodes.shots
        for suffix in (".npz", ".json"):
            path = arguments.out / f"episodes_{shots}shot{suffix}"
            file.write(path)
            print(f"{len(file.episodes):,} {shots}-shot episodes of {file.dataset} in {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser("export-episodes", __doc__)
    add_gin(made)
    made.add_argument(
        "--out",
        type=Path,
        default=Path("episodes"),
        metavar="DIR",
        help="folder for episodes_Kshot.npz and .json (default: episodes)",
    )
    return made
