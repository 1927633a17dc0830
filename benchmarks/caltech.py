"""Lay out Caltech-101 for gin/syntrans_caltech_clip.gin: photographs, splits, CLIP's own features.

    python benchmarks/caltech.py DATA OUT

DATA holds `caltech101/caltech101_84.zip`, `caltech101/caltech101_clip_vitb32.npz`,
`caltech101/clip_text_detic.npz` and `splits/caltech101.json`. OUT gets

- the class folders;
- `splits.json`, without the validation and novel classes that are base classes of CIFAR-FS, which
  the student has seen;
- `splits_named.json`, where 15 classes with CLIP text are base classes, for the losses that read
  text;
- `clip.npz`, CLIP's features of validation and novel photographs, for CLIP's own row;
- `names_0.npz` to `names_2.npz`, three divisions of the 100 classes that have CLIP's features, for
  SynTrans on features, and `clip_0.npz` to `clip_2.npz`, of those that have CLIP's text too.
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
DIVISIONS = 3
PARTS = (0.45, 0.2)  # of the classes: base and validation; the others are novel


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
    images = data / "caltech101" / "caltech101_clip_vitb32.npz"
    write_features(images, {**splits, "train": []}, out / "clip.npz")
    with np.load(images) as file, np.load(data / "caltech101" / "clip_text_detic.npz") as text:
        classes = sorted({path.partition("/")[0] for path in file["images"].tolist()})
        kinds = {"names": classes, "clip": sorted({*classes} & {*text["class_names"].tolist()})}
    for kind, names in kinds.items():
        for division in range(DIVISIONS):
            parts = divided(names, seed=division)
            name = f"caltech101, {len(names)} classes, division {division + 1}"
            write_features(images, parts, out / f"{kind}_{division}.npz", name)
    return 0


def _new(split: str, name: str) -> bool:
    """Whether a student of CIFAR-FS may meet the class in this split."""
    return split == "train" or name not in OF_CIFAR_FS


def named(splits: dict[str, list[str]]) -> dict[str, list[str]]:
    """The splits with 15 novel classes, every second one by name, moved to the base classes."""
    moved = sorted(splits["test"])[: 2 * MOVED : 2]
    left = [name for name in splits["test"] if name not in moved]
    return {"train": splits["train"] + moved, "val": splits["val"], "test": left}


def divided(names: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Classes divided at random into base, validation and novel ones."""
    order = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    base, validation = (round(part * len(names)) for part in PARTS)
    parts = order[:base], order[base : base + validation], order[base + validation :]
    return {split: sorted(part) for split, part in zip(SPLITS, parts, strict=True)}


def write_features(
    file: Path, splits: dict[str, list[str]], out: Path, name: str = "caltech101"
) -> None:
    """CLIP's features of the classes of `splits`, as `FeatureBenchmark` reads them."""
    names = [each for split in SPLITS for each in splits[split]]
    with np.load(file) as given:
        folders = [path.partition("/")[0] for path in given["images"].tolist()]
        rows = [row for row, folder in enumerate(folders) if folder in names]
        np.savez(
            out,
            features=given["features"][rows].astype(np.float32),
            labels=[names.index(folders[row]) for row in rows],
            class_names=names,
            split=[split for split in SPLITS for _ in splits[split]],
            name=name,
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
