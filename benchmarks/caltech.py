"""Lay out Caltech-101 for gin/syntrans_caltech_clip.gin: photographs, splits, CLIP's own features.

    python benchmarks/caltech.py DATA OUT

DATA holds `caltech101/caltech101_84.zip`, `caltech101/caltech101_clip_vitb32.npz` and
`splits/caltech101.json`. OUT gets the class folders; `splits.json`, without the validation and
novel classes that are base classes of CIFAR-FS, which the student has seen; `splits_named.json`,
where 15 classes with CLIP text are base classes, for the losses that read text; and `clip.npz`,
CLIP's features of validation and novel photographs, for CLIP's own row.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import numpy as np

SPLITS = ("train", "val", "test")
OF_CIFAR_FS = {"chair", "cup", "dolphin", "elephant", "kangaroo", "lobster", "sunflower"}
MOVED = 15


def main(argv: Sequence[str] | None = None) -> int:
    """Unpack and write; 0 when all went well."""
    arguments = _parser().parse_args(argv)
    data, out = arguments.data, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    with ZipFile(data / "caltech101" / "caltech101_84.zip") as photographs:
        photographs.extractall(out)
    given = json.loads((data / "splits" / "caltech101.json").read_text(encoding="utf-8"))
    splits = {split: [name for name in given[split] if _new(split, name)] for split in SPLITS}
    _write(out / "splits.json", splits)
    _write(out / "splits_named.json", named(splits))
    write_features(data / "caltech101" / "caltech101_clip_vitb32.npz", splits, out / "clip.npz")
    return 0


def _new(split: str, name: str) -> bool:
    """Whether a student of CIFAR-FS may meet the class in this split."""
    return split == "train" or name not in OF_CIFAR_FS


def named(splits: dict[str, list[str]]) -> dict[str, list[str]]:
    """The splits with 15 novel classes, every second one by name, moved to the base classes."""
    moved = sorted(splits["test"])[: 2 * MOVED : 2]
    left = [name for name in splits["test"] if name not in moved]
    return {"train": splits["train"] + moved, "val": splits["val"], "test": left}


def write_features(file: Path, splits: dict[str, list[str]], out: Path) -> None:
    """CLIP's features of validation and novel classes, as `FeatureBenchmark` reads them."""
    names = splits["val"] + splits["test"]
    with np.load(file) as given:
        folders = [path.partition("/")[0] for path in given["images"].tolist()]
        rows = [row for row, folder in enumerate(folders) if folder in names]
        np.savez(
            out,
            features=given["features"][rows].astype(np.float32),
            labels=[names.index(folders[row]) for row in rows],
            class_names=names,
            split=["val"] * len(splits["val"]) + ["test"] * len(splits["test"]),
            name="caltech101",
            encoder="open_clip ViT-B-32/openai",
        )


def _write(path: Path, splits: dict[str, list[str]]) -> None:
    path.write_text(json.dumps(splits, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the files above")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
