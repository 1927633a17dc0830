"""Say what there is of a data set, what is missing and how to get it.

    syntrans check-data --gin datasets/mini.gin
    syntrans check-data --gin datasets/mini.gin --download
    syntrans check-data --gin own.gin --deep

Data lie under $SYNTRANS_DATA (default ~/data).
"""

import argparse
from collections.abc import Sequence

from syntrans_l2l.cli.common import add_gin, guarded, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse and look; 0 where the data are there, 1 where they are missing, 2 after bad input."""
    arguments = _parser().parse_args(argv)
    return guarded(lambda: _check(arguments))


def _check(arguments: argparse.Namespace) -> int:
    from syntrans_l2l.cli.bars import bar
    from syntrans_l2l.datasets.sources import SOURCES, download
    from syntrans_l2l.experiment.config import load_dataset
    from syntrans_l2l.places import Places

    root = Places.of().root
    dataset = load_dataset(arguments.gin, arguments.set)
    try:
        counts = dataset.class_counts(root)
    except FileNotFoundError as error:
        if not arguments.download:
            print(f"{dataset.name} is missing: {str(error).partition('; ')[0]}")
            for source in SOURCES.get(dataset.name, ()):
                print(f"  from {source.title}, {source.size}; by hand:")
                print("".join(f"    {place}\n" for place in source.places(root)), end="")
            if dataset.name in SOURCES:
                print("  or let --download fetch it from the first of these that gives it")
            return 1
        title = download(dataset.name, root, bar)
        print(f"downloaded {dataset.name} from {title}")
        counts = dataset.class_counts(root)
    print(f"{dataset.name} is there, below {root}")
    for split, classes in counts.items():
        print(f"  {split}: {len(classes)} classes, {sum(classes.values()):,} images")
    if arguments.deep:
        dataset.check_images(root, bar)
        print("every image can be read")
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser("check-data", __doc__)
    add_gin(made, "an experiment or a data set")
    made.add_argument("--download", action="store_true", help="fetch what is missing")
    made.add_argument("--deep", action="store_true", help="open every image (minutes)")
    return made
