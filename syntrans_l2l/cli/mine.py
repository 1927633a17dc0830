"""Mine descriptors of a data set's classes, and look at them.

    syntrans mine --gin semantics/shipped_minilm.gin --out results/bank.json
    syntrans mine show results/bank.json maple_tree
    syntrans mine page results/bank.json

The bank, FILE.json with FILE.safetensors beside it, is what any benchmark takes with
--set "VECTORS = 'FILE.json'". Data lie under $SYNTRANS_DATA (default ~/data). A killed run
resumes: answers of models are kept one by one and never asked for again.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from syntrans_l2l.cli.common import add_set, guarded, parser

if TYPE_CHECKING:
    from torch import Tensor

_PICTURES = 4  # a class, on the page


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, check, mine or show; 0 when all went well, 2 after bad input."""
    made = _parser()
    arguments = made.parse_args(argv)
    if arguments.command is None and arguments.gin is None:
        made.error("--gin FILE to mine, or one of the commands show and page")
    return guarded(lambda: _answer(arguments))


def _answer(arguments: argparse.Namespace) -> int:
    if arguments.command == "show":
        _show(arguments.bank, arguments.class_name)
    elif arguments.command == "page":
        _page(arguments.bank)
    else:
        _mine(arguments)
    return 0


def _mine(arguments: argparse.Namespace) -> None:
    # imported after the arguments are read: --help needs none of it
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.cli.bars import bar
    from syntrans_l2l.experiment.config import load_mining
    from syntrans_l2l.places import Places
    from syntrans_l2l.reporting.cards import summary
    from syntrans_l2l.reporting.records import make_writable
    from syntrans_l2l.semantics.bank_file import write_bank

    places = Places.of()
    mining = load_mining(arguments.gin, arguments.set)
    if arguments.out.suffix != ".json":
        raise ValueError(f"--out names the bank's JSON, got {arguments.out}")
    mining.classes(places.root)
    make_writable(arguments.out.parent)
    bank = mining.run(root=places.root, cache=Cache(places.cache), progress=bar)
    write_bank(bank, arguments.out)
    print(f"{summary(bank)}\n{arguments.out}")


def _show(path: Path, class_name: str | None) -> None:
    from syntrans_l2l.reporting.cards import card, summary
    from syntrans_l2l.semantics.bank_file import read_bank

    bank = read_bank(path)
    names = bank.vectors.class_names if class_name is None else (class_name,)
    styled = sys.stdout.isatty()
    cards = [card(bank, name, styled=styled) for name in names]
    print("\n\n".join(cards if class_name else [summary(bank), *cards]))


def _page(path: Path) -> None:
    from syntrans_l2l.atomic import atomic
    from syntrans_l2l.reporting.bank_page import page
    from syntrans_l2l.semantics.bank_file import read_bank

    bank = read_bank(path)
    samples = _samples(bank.dataset) if bank.dataset else {}
    out = path.with_suffix(".html")
    with atomic(out) as partial:
        partial.write_text(page(bank, samples), encoding="utf-8")
    print(out)


def _samples(dataset: str) -> Mapping[str, Sequence["Tensor"]]:
    """A few pictures of each base class; none where the data set is not at hand."""
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.cli.bars import bar
    from syntrans_l2l.datasets import benchmark
    from syntrans_l2l.places import Places
    from syntrans_l2l.semantics.observe import BaseImages

    places = Places.of()
    try:
        data = benchmark(dataset).load(places.root, Cache(places.cache), bar)
        few = min(_PICTURES, int(data.train.class_counts().min()))
        pictures = BaseImages(data, per_class=few)
    except (FileNotFoundError, ValueError) as error:  # a data set of the user's own, or none here
        print(f"no pictures: {error}", file=sys.stderr)
        return {}
    samples: dict[str, list[Tensor]] = {}
    for name, image in zip(pictures.class_names, pictures.images, strict=True):
        samples.setdefault(name, []).append(image)
    return samples


def _parser() -> argparse.ArgumentParser:
    made = parser("mine", __doc__)
    made.add_argument(
        "--gin",
        type=Path,
        metavar="FILE",
        help="the mining: a path, or the short name of a shipped file",
    )
    add_set(made)
    made.add_argument(
        "--out",
        type=Path,
        default=Path("results/bank.json"),
        metavar="FILE",
        help="the bank's JSON (default: results/bank.json)",
    )
    commands = made.add_subparsers(dest="command", metavar="show | page")
    show = commands.add_parser("show", help="print the cards of a bank, or of one class")
    show.add_argument("bank", type=Path, metavar="BANK")
    show.add_argument("class_name", nargs="?", metavar="CLASS")
    page = commands.add_parser("page", help="write BANK.html, one card a class")
    page.add_argument("bank", type=Path, metavar="BANK")
    return made
