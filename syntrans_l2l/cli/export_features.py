"""Write the features of an experiment's encoder as a file for FeatureBenchmark.

    syntrans export-features --gin syntrans_cifarfs_cpu.gin --out results
    syntrans run --gin syntrans_features.gin --set "FEATURES='results/features_base.safetensors'"

With --teacher, the file also holds what stage 1 learns from: the teacher's features of base images.
An encoder that is not in the cache is trained first.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from syntrans_l2l.cli.common import add_device, add_gin, device, guarded, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, encode, write; 0 when all went well, 2 after bad input."""
    arguments = _parser().parse_args(argv)
    return guarded(lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> int:
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.cli.bars import bar
    from syntrans_l2l.datasets.feature_file import save_features
    from syntrans_l2l.experiment.config import load_experiment
    from syntrans_l2l.places import Places

    places = Places.of()
    chosen = device(arguments.device)
    experiment = load_experiment(arguments.gin, arguments.set)
    experiment.check(places.root)
    prepared = experiment.prepare(
        root=places.root, cache=Cache(places.cache), device=chosen, progress=bar
    )
    prepared.encoder(arguments.encoder).check(experiment.dataset.size)
    taught, name = None, ""
    if arguments.teacher:  # before the student is trained: there may be no teacher
        taught, name = prepared.of_teacher(experiment.source_of_teacher)
    encoded = prepared.encoded(arguments.encoder)
    path = arguments.out / f"features_{arguments.encoder}.safetensors"
    save_features(
        path,
        prepared.work.data,
        encoded.features,
        encoded.name,
        teacher_features=taught,
        teacher=name,
    )
    print(f"features of {encoded.name} in {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser("export-features", __doc__)
    add_gin(made)
    add_device(made)
    made.add_argument(
        "--encoder",
        choices=("base", "distilled", "teacher"),
        default="base",
        help="whose features (default: base)",
    )
    made.add_argument(
        "--teacher",
        action="store_true",
        help="write the teacher's features of base images beside them, so that stage 1 needs no "
        "teacher later; the rows of other images are NaN",
    )
    made.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="folder for features_ENCODER.safetensors (default: results)",
    )
    return made
