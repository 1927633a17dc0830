"""Make the committed tables again, and say which committed figure the new ones do not bear out.

    python benchmarks/reproduce.py --vectors cifar100_clip.npz --sentence-encoder all-MiniLM-L6-v2

runs every experiment behind benchmarks/records into --out, one after the other. What is finished
is not computed again, so that a run which was stopped goes on; a new training needs an empty
$SYNTRANS_CACHE. Experiments on CIFAR-FS need its images (`syntrans check-data --gin
datasets/cifar_fs.gin --download`); those whose files are not given are left out. The end counts the
figures by what became of them, and lists what was left out or lies outside. The exit status is 1
where a table did not run, a figure is missing, or its two intervals do not overlap.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
from syntrans_l2l.cli.main import main as syntrans  # noqa: E402
from syntrans_l2l.reporting.records import Record, read_records  # noqa: E402

COMMITTED = REPOSITORY / "benchmarks" / "records"


class Table(NamedTuple):
    """Where the rows of a folder of records come from.

    Args:
        files: gin files.
        macros: those of their macros that take a value from here.
        features: files in the folder CALTECH; each is the macro FEATURES of a run of its own.
    """

    files: Sequence[str]
    macros: Sequence[str] = ()
    features: Sequence[str] = ()

    def runs(self, given: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
        """Each run's gin file, and the options that give its macros their values."""
        values = {macro: given[macro] for macro in self.macros if macro in given}
        for file in self.files:
            for features in self.features or [""]:
                if features:
                    values["FEATURES"] = f"{given['CALTECH']}/{features}"
                yield file, [f"--set={macro} = {value!r}" for macro, value in values.items()]


CALTECH = ["CALTECH", "CLIP_IMAGES", "CLIP_TEXT", "SENTENCE_ENCODER"]
DIVISIONS = {kind: [f"{kind}_{place}.npz" for place in range(3)] for kind in ("clip", "names")}
# a folder of records, a line
TABLES = {
    "tables/demo": Table(["syntrans_demo.gin"]),
    "ablations/demo_ablation": Table(["syntrans_demo_ablation.gin", "syntrans_demo_frozen.gin"]),
    "tables/cifarfs_clip": Table(
        ["syntrans_cifarfs_cpu.gin", "baselines_cifarfs_cpu.gin"], ["VECTORS"]
    ),
    "tables/fc100_clip": Table(["syntrans_fc100_cpu.gin", "baselines_fc100_cpu.gin"], ["VECTORS"]),
    "tables/caltech_clip": Table(
        ["syntrans_caltech_clip.gin", "syntrans_caltech_trained.gin"], CALTECH
    ),
    "tables/caltech_ceiling": Table(["clip_caltech.gin"], ["CLIP_TEXT"], ["clip.npz"]),
    "shared_space/caltech": Table(["caltech_features_clip.gin"], ["CLIP_TEXT"], DIVISIONS["clip"]),
    "image_features/caltech": Table(
        ["caltech_features_names.gin"], ["SENTENCE_ENCODER"], DIVISIONS["names"]
    ),
    "tables/cifarfs_full": Table(["syntrans_cifarfs_full_cpu.gin"], ["VECTORS"]),
    "tables/fc100_full": Table(["syntrans_fc100_full_cpu.gin"], ["VECTORS"]),
    "baselines/cifarfs": Table(
        [
            "honest_baselines_cifarfs_cpu.gin",
            "maml_1shot_cifarfs_cpu.gin",
            "maml_5shot_cifarfs_cpu.gin",
        ]
    ),
    "cross/cifarfs_caltech": Table(["cross_cifarfs_caltech.gin"], ["CALTECH", "SENTENCE_ENCODER"]),
    "cross/cifarfs_fc100": Table(["cross_cifarfs_fc100.gin"], ["SENTENCE_ENCODER"]),
    "ablations/caltech_named": Table(
        ["syntrans_caltech_assignment.gin", "syntrans_caltech_mimicry.gin"], CALTECH
    ),
    "students/student_recipes": Table(["student_recipes.gin"]),
    "ablations/cifarfs_ablation": Table(["syntrans_cifarfs_ablation.gin"], ["SENTENCE_ENCODER"]),
    "ablations/fc100_ablation": Table(["syntrans_fc100_ablation.gin"], ["SENTENCE_ENCODER"]),
}
# an option of this command for each macro
MACROS = {
    "VECTORS": "class vectors of the CIFAR rows, a file",
    "SENTENCE_ENCODER": "all-MiniLM-L6-v2, a folder or a hub name (default: the hub's)",
    "CALTECH": "Caltech-101 as benchmarks/caltech.py lays it out, a folder",
    "CLIP_IMAGES": "CLIP's features of its photographs, a file",
    "CLIP_TEXT": "CLIP's text vectors of its class names, a file",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run, compare, report; 0 where every committed figure is borne out."""
    arguments = _parser().parse_args(argv)
    counts: Counter[Verdict] = Counter()
    last: list[str] = []
    failed = False
    for name in arguments.only or TABLES:
        table, out = TABLES[name], arguments.out / name
        asked = [*table.macros, *(["CALTECH"] if table.features else [])]
        given = {macro: value for macro in asked if (value := getattr(arguments, macro.lower()))}
        # without a sentence encoder the gin files' own is taken
        if missing := [each for each in asked if each not in {*given, "SENTENCE_ENCODER"}]:
            last.append(f"{name}: left out, because its {' and '.join(missing)} is not given")
            continue
        for file, bindings in table.runs(given):
            if syntrans(["run", "--gin", file, "--out", str(out), *bindings]):
                last.append(f"{name}: {file} did not run")
                failed = True
        for verdict, line in compared(_records(COMMITTED / name), _records(out)):
            print(f"{name}: {line}")
            counts[verdict] += 1
            if verdict in (Verdict.MISSING, Verdict.APART):
                last.append(f"{name}: {line}")
                failed = True
    print("\n".join(["", *last, *(f"{counts[each]} figures {each.value}" for each in Verdict)]))
    return int(failed)


class Verdict(Enum):
    """What became of a committed figure."""

    SAME = "the same to the last bit"
    INSIDE = "inside the committed interval"
    OVERLAP = "outside the committed interval, but the two intervals overlap"
    APART = "OUTSIDE: the two intervals do not overlap"
    MISSING = "not made again"


Cell = tuple[str, str, int]  # data set, row and shots


def compared(
    committed: Mapping[Cell, Record], new: Mapping[Cell, Record]
) -> Iterator[tuple[Verdict, str]]:
    """A verdict and a line for each figure."""
    for cell, before in committed.items():
        dataset, row, shots = cell
        line = f"{dataset}, {row}, {shots}-shot: {before.accuracy:.2f} ± {before.ci95:.2f}"
        after = new.get(cell)
        verdict = _verdict(before, after)
        if after is not None and verdict != Verdict.SAME:
            line += f", now {after.accuracy:.2f} ± {after.ci95:.2f}"
        yield verdict, f"{line}: {verdict.value}"


def _verdict(before: Record, after: Record | None) -> Verdict:
    if after is None:
        return Verdict.MISSING
    difference = abs(after.accuracy - before.accuracy)
    if difference == 0.0:
        return Verdict.SAME
    if difference <= before.ci95:
        return Verdict.INSIDE
    return Verdict.OVERLAP if difference <= before.ci95 + after.ci95 else Verdict.APART


def _records(folder: Path) -> dict[Cell, Record]:
    path = folder / "results.jsonl"
    found = read_records(path)[0] if path.exists() else []
    return {(record.dataset, record.method, record.shots): record for record in found}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=TABLES, metavar="NAME", help="(default: all)")
    for macro, what in MACROS.items():
        parser.add_argument(f"--{macro.lower().replace('_', '-')}", metavar="WHAT", help=what)
    parser.add_argument("--out", type=Path, default=Path("results/reproduce"), metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
