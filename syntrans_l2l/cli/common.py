"""What the commands share: arguments, the choice of a device, errors of one line."""

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def parser(command: str, about: str | None) -> argparse.ArgumentParser:
    """A parser whose help begins with `about`, a module's docstring."""
    return argparse.ArgumentParser(
        prog=f"syntrans {command}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_gin(parser: argparse.ArgumentParser, what: str = "the experiment") -> None:
    """Add --gin, one file, and --set."""
    parser.add_argument(
        "--gin",
        type=Path,
        required=True,
        metavar="FILE",
        help=f"{what}: a path, or the short name of a shipped file",
    )
    add_set(parser)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add --set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="BINDING",
        help='a further gin binding, such as "Experiment.episodes = 600"; may be repeated',
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="cpu, cuda, cuda:1 or mps (default: cuda where there is one, else cpu)",
    )


def device(name: str | None) -> "torch.device":
    """The device of this name, tried with one number; by default a GPU where there is one.

    Raises:
        ValueError: torch knows no such device, or there is none here.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(name)
        torch.ones(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"--device {name!r} cannot be used here: {reason}") from error
    return chosen


def guarded(command: Callable[[], int]) -> int:
    """What `command` answers; 2 after bad input, which is told in one line."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return command()
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
