"""Make the committed tables again, and say which committed figure the new ones do not bear out.

    python benchmarks/reproduce.py --vectors cifar100_clip.npz --sentence-encoder all-MiniLM-L6-v2

runs every experiment behind benchmarks/records into --out, one after the other. What is finished
is not computed again, so that a run which was stopped goes on. Experiments on CIFAR-FS need its
images (`syntrans check-data --gin datasets/cifar_fs.gin --download`); those whose text is not
given are left out, and the list at the end says so. It ends with 1 where a figure differs.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
from syntrans_l2l.cli.main import main as syntrans  # noqa: E402
from syntrans_l2l.reporting.records import Record, read_records  # noqa: E402

COMMITTED = REPOSITORY / "benchmarks" / "records"
# the gin files whose rows stand in each folder of records, and which text they read
RUNS = {
    "demo": (("syntrans_demo.gin",), ""),
    "demo_ablation": (("syntrans_demo_ablation.gin",), ""),
    "cifarfs_clip": (("syntrans_cifarfs_cpu.gin", "baselines_cifarfs_cpu.gin"), "VECTORS"),
    "cifarfs_descriptors": (("syntrans_cifarfs_descriptors.gin",), "SENTENCE_ENCODER"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run, compare, report; 0 where every committed figure is borne out."""
    arguments = _parser().parse_args(argv)
    texts = {"VECTORS": arguments.vectors, "SENTENCE_ENCODER": arguments.sentence_encoder}
    failed = False
    for name in arguments.only or RUNS:
        files, text = RUNS[name]
        out = arguments.out / name
        if text and not texts[text]:
            print(f"{name}: left out, because its {text} is not given")
            continue
        bindings = ["--set", f"{text} = {texts[text]!r}"] if text else []
        for file in files:
            if syntrans(["run", "--gin", file, "--out", str(out), *bindings]):
                print(f"{name}: {file} did not run")
                failed = True
        lines, differ = compared(_records(COMMITTED / name), _records(out))
        failed |= differ
        print("\n".join(f"{name}: {line}" for line in lines))
    return int(failed)


Cell = tuple[str, int]  # row and shots


def compared(
    committed: Mapping[Cell, Record], new: Mapping[Cell, Record]
) -> tuple[list[str], bool]:
    """One line a figure, and whether any differs.

    A figure is borne out where the new mean lies within the committed interval and its own.
    """
    lines, differ = [], False
    for cell, before in committed.items():
        label = f"{cell[0]}, {cell[1]}-shot: {before.accuracy:.2f} ± {before.ci95:.2f}"
        after = new.get(cell)
        if after is None:
            differ = True
            lines.append(f"{label}, and no new figure")
        elif after.accuracy == before.accuracy:
            lines.append(f"{label}, the same to the last bit")
        else:
            outside = abs(after.accuracy - before.accuracy) > before.ci95 + after.ci95
            differ |= outside
            verdict = "OUTSIDE the intervals" if outside else "within the intervals"
            lines.append(f"{label}, now {after.accuracy:.2f} ± {after.ci95:.2f}: {verdict}")
    return lines, differ


def _records(folder: Path) -> dict[Cell, Record]:
    path = folder / "results.jsonl"
    found = read_records(path)[0] if path.exists() else []
    return {(record.method, record.shots): record for record in found}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=RUNS, metavar="NAME", help="(default: all)")
    parser.add_argument("--vectors", metavar="FILE", help="class vectors of the CLIP rows")
    parser.add_argument(
        "--sentence-encoder", metavar="NAME", help="all-MiniLM-L6-v2, a folder or a hub name"
    )
    parser.add_argument("--out", type=Path, default=Path("results/reproduce"), metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
