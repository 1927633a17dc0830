"""SynTrans (IJCAI 2025) for learn2learn, from the command line.

    syntrans run --gin syntrans_demo.gin
    syntrans COMMAND --help

run              an experiment: train, evaluate, print its table
mine             descriptors of class names, with cards and a page
leaderboard      tables, figures and a page from the records of many runs
sweep            gin files x seeds x shots x methods, on many workers
check-data       what there is of a data set, what is missing and how to get it
export-features  the features of a run's encoder as a file
export-episodes  the test episodes of an experiment, for code of other people
add-results      what such code answered, as a row beside the others
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from syntrans_l2l import __version__
from syntrans_l2l.cli.threads import give_way

COMMANDS = (
    "run", "mine", "leaderboard", "sweep", "check-data", "export-features", "export-episodes",
    "add-results",
)  # fmt: skip


def main(argv: Sequence[str] | None = None, default: str = "") -> int:
    """Hand over to a command; its exit status.

    Args:
        argv: the words after the program's name; None takes those of this process.
        default: the command where the first word names none.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    give_way()
    if words and words[0] in COMMANDS:
        name, words = words[0], words[1:]
    elif default:
        name = default
    elif words and words[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    elif words == ["--version"]:
        print(__version__)
        return 0
    else:
        asked = f"no command {words[0]!r}" if words else "a command is missing"
        print(f"error: {asked}; choose one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    # imported now: the help of one command needs nothing of the others
    command = import_module(f"syntrans_l2l.cli.{name.replace('-', '_')}")
    status: int = command.main(words)
    return status
