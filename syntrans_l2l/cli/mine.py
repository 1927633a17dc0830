"""Mine descriptors of a data set's classes, and look at them.

    python benchmarks/mine.py --gin gin/semantics/shipped_minilm.gin --out results/bank.json
    python benchmarks/mine.py show results/bank.json maple_tree
    python benchmarks/mine.py page results/bank.json

The bank, FILE.json with FILE.safetensors beside it, is what any benchmark takes with
--set "VECTORS = 'FILE.json'". Data lie under $SYNTRANS_DATA (default ~/data). A killed run
resumes: answers of models are kept one by one and never asked for again.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from syntrans_l2l.cache import Cache

_PICTURES = 4  # a class, on the page


def main() -> int:
    """Parse, check, mine or show; 0 when all went well, 2 after bad input."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.command is None and arguments.gin is None:
        parser.error("--gin FILE to mine, or one of the commands show and page")
    data_root = Path(os.environ.get("SYNTRANS_DATA", "~/data")).expanduser()
    cache_root = Path(os.environ.get("SYNTRANS_CACHE", data_root / "syntrans_cache")).expanduser()
    try:
        if arguments.command == "show":
            _show(arguments.bank, arguments.class_name)
        elif arguments.command == "page":
            _page(arguments.bank, data_root, cache_root)
        else:
            _mine(arguments, data_root, cache_root)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _mine(arguments: argparse.Namespace, data_root: Path, cache_root: Path) -> None:
    # imported after the arguments are read: --help needs none of it
    from run import bar

    from syntrans_l2l.cache import Cache
    from syntrans_l2l.experiment.config import load_mining
    from syntrans_l2l.reporting.cards import summary
    from syntrans_l2l.reporting.records import make_writable
    from syntrans_l2l.semantics.bank_file import write_bank

    mining = load_mining(arguments.gin, arguments.set)
    if arguments.out.suffix != ".json":
        raise ValueError(f"--out names the bank's JSON, got {arguments.out}")
    mining.classes(data_root)
    make_writable(arguments.out.parent)
    bank = mining.run(root=data_root, cache=Cache(cache_root), progress=bar)
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


def _page(path: Path, data_root: Path, cache_root: Path) -> None:
    from syntrans_l2l.cache import Cache
    from syntrans_l2l.reporting.bank_page import page
    from syntrans_l2l.semantics.bank_file import read_bank

    bank = read_bank(path)
    samples = _samples(bank.dataset, data_root, Cache(cache_root)) if bank.dataset else {}
    out = path.with_suffix(".html")
    partial = out.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(page(bank, samples))
    partial.replace(out)
    print(out)


def _samples(dataset: str, data_root: Path, cache: "Cache") -> Mapping[str, Sequence["Tensor"]]:
    """A few pictures of each base class; none where the data set is not at hand."""
    from run import bar

    from syntrans_l2l.datasets import benchmark
    from syntrans_l2l.semantics.observe import BaseImages

    try:
        data = benchmark(dataset).load(data_root, cache, bar)
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gin", type=Path, metavar="FILE", help="the mining")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="BINDING",
        help='a further gin binding, such as "Mining.dataset = @Fc100()"; may be repeated',
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/bank.json"),
        metavar="FILE",
        help="the bank's JSON (default: results/bank.json)",
    )
    commands = parser.add_subparsers(dest="command", metavar="show | page")
    show = commands.add_parser("show", help="print the cards of a bank, or of one class")
    show.add_argument("bank", type=Path, metavar="BANK")
    show.add_argument("class_name", nargs="?", metavar="CLASS")
    page = commands.add_parser("page", help="write BANK.html, one card a class")
    page.add_argument("bank", type=Path, metavar="BANK")
    return parser


if __name__ == "__main__":
    sys.exit(main())
