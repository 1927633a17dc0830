"""Draw how the students behind committed records learnt, for the page docs/students.md.

python benchmarks/learning_curves.py benchmarks/records/tables/cifarfs_full --out docs/learning.svg
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from syntrans_l2l.cache import digest
from syntrans_l2l.reporting.collection import boards, collect, newest
from syntrans_l2l.reporting.figures.learning import learning_figure
from syntrans_l2l.reporting.learning import Learning, learning_by_student


def curves(folders: Sequence[Path]) -> dict[str, Learning]:
    """Of every student that the records below these folders stand on, by data set and name.

    Raises:
        FileNotFoundError: there are no records, or no learning curves beside them.
    """
    records, _ = newest(collect(folders)[0])
    found = {
        f"{dataset}: {student}": learning
        for board in boards(records)
        for dataset in board.datasets
        for student, learning in learning_by_student(board, dataset).items()
    }
    if not found:
        told = ", ".join(map(str, folders))
        raise FileNotFoundError(f"no learning curves beside the records below {told}")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Write the figure; 2 where there is nothing to draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    try:
        found = curves(arguments.folders)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    with rc_context({"svg.hashsalt": "syntrans"}):  # the same curves give the same bytes
        metadata = {"Date": None, "Description": digest(found)}  # a test compares the description
        learning_figure(found).savefig(arguments.out, metadata=metadata)
    return 0


if __name__ == "__main__":
    sys.exit(main())
