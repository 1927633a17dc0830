"""Writes data sets in their true file formats, smaller only in the number of images."""

import importlib
import io
import json
import pickle
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.datasets import published

Pixels = NDArray[np.uint8]


_Pickler: Any = pickle._Pickler


class Python2Pickler(_Pickler):  # type: ignore[misc]
    """Writes what Python 2's cPickle does at protocol 2: text and bytes alike as BINSTRING."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=2)
        self.dispatch = {
            **_Pickler.dispatch,
            str: Python2Pickler._string,
            bytes: Python2Pickler._string,
        }

    def _string(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(value)


def pictures(classes: int, images: int, size: tuple[int, int] = (84, 84)) -> Pixels:
    """[classes * images, H, W, 3], class by class: a colour each, and noise."""
    chance = np.random.default_rng(0)
    colours = chance.integers(40, 215, size=(classes, 1, 1, 1, 3)).repeat(images, 1)
    noise = chance.normal(0, 30, size=(classes, images, size[0] // 12, size[1] // 12, 3))
    blocks = (colours + noise).clip(0, 255).astype(np.uint8).repeat(12, 2).repeat(12, 3)
    return blocks.reshape(-1, *size, 3)


def dump(path: Path, content: object, python2: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Python2Pickler(file).dump(content) if python2 else pickle.dump(content, file)


def write_mini(root: Path, images: int, python2: bool = False) -> dict[str, Pixels]:
    """learn2learn's three pickles; the images of each class lie apart, as in no true file."""
    written = {}
    for split, wnids in published.classes("mini_imagenet").items():
        pixels = pictures(len(wnids), images)
        rows = np.arange(len(pixels)).reshape(images, len(wnids))  # class by class in columns
        interleaved = np.empty_like(pixels)
        interleaved[rows.T.flatten()] = pixels
        classes = {wnid: rows[:, c].tolist() for c, wnid in reversed(list(enumerate(wnids)))}
        content = {"image_data": interleaved, "class_dict": classes}
        dump(root / f"mini-imagenet-cache-{split}.pkl", content, python2)
        written[split] = pixels
    return written


def write_parquet(root: Path, images: int, size: tuple[int, int], order: Mapping[str, Sequence[int]]
) -> None:  # fmt: skip
    """The hub's parquet files: label k of a split is the published class `order[split][k]`."""
    import pyarrow
    from pyarrow import parquet

    for split, wnids in published.classes("mini_imagenet").items():
        pixels = pictures(len(wnids), images, size).reshape(len(wnids), images, *size, 3)
        rows = [
            {"image": {"bytes": png(picture), "path": None}, "label": label}
            for label, c in enumerate(order[split])
            for picture in pixels[c]
        ]
        half = len(rows) // 2
        (root / "mini_imagenet" / "data").mkdir(parents=True, exist_ok=True)
        for number, part in enumerate((rows[:half], rows[half:])):
            file = f"{split}-{number:05d}-of-00002-0123456789abcdef.parquet"
            table = pyarrow.Table.from_pylist(part)
            parquet.write_table(table, root / "mini_imagenet" / "data" / file)


def write_tiered(root: Path, images: int, python2: bool = False) -> dict[str, Pixels]:
    """The six pickles: PNG files as arrays, numbers in an order of their own, and names."""
    written = {}
    for split, short in (("train", "train"), ("validation", "val"), ("test", "test")):
        wnids = published.classes("tiered_imagenet")[split]
        pixels = pictures(len(wnids), images)
        names = list(published.wordnet_names(wnids))
        labels = {
            "label_specific": np.repeat(np.arange(len(wnids), dtype=np.int32)[::-1], images),
            "label_general": np.zeros(len(pixels), dtype=np.int32),
            "label_specific_str": names[::-1],
            "label_general_str": ["entity"],
        }
        encoded = [np.frombuffer(png(picture), np.uint8)[:, None] for picture in pixels]
        dump(root / "tiered-imagenet" / f"{short}_labels.pkl", labels, python2)
        dump(root / "tiered-imagenet" / f"{short}_images_png.pkl", encoded, python2)
        written[split] = pixels
    return written


def write_cub(folder: Path, images: int) -> None:
    """CUB_200_2011 as its archive unpacks, pictures wider than high."""
    learn2learn()
    lists = importlib.import_module("learn2learn.vision.datasets.cu_birds200").SPLITS
    names = sorted(name for split in lists.values() for name in split)
    made = pictures(200, images, (96, 120)).reshape(200, images, 96, 120, 3)
    listing: list[str] = []
    for c, (name, pixels) in enumerate(zip(names, made, strict=True)):
        for number, picture in enumerate(pixels):
            path = folder / "images" / name / f"Bird_{number:04d}_{c}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
            listing.append(f"{len(listing) + 1} {name}/{path.name}")
    (folder / "images.txt").write_text("\n".join(listing) + "\n")


def write_fc100(root: Path, classes: Mapping[str, Iterable[str]], images: int) -> None:
    """learn2learn's three pickles of Python 2, labels counted over all of CIFAR-100."""
    fine = sorted(name for names in classes.values() for name in names)
    for split, short in (("train", "train"), ("validation", "val"), ("test", "test")):
        labels = [fine.index(name) for name in classes[split] for _ in range(images)]
        shades = np.array(labels, np.uint8)[:, None, None, None]  # each image shows its label
        pixels = np.broadcast_to(shades, (len(labels), 32, 32, 3)).copy()
        content = {"data": pixels, "labels": labels}
        dump(root / f"FC100_{short}.pickle", content, python2=True)


def write_clip(folder: Path) -> str:
    """A tiny random CLIP in open_clip's own folder format; what ClipTeacher.model names it."""
    import open_clip

    settings = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16,
                       "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1,
                     "layers": 1},
    }  # fmt: skip
    torch.manual_seed(0)
    model = open_clip.CLIP(**settings)
    folder.mkdir(parents=True)
    preprocessing = {"mean": [0.5] * 3, "std": [0.5] * 3}
    description = {"model_cfg": settings, "preprocess_cfg": preprocessing}
    (folder / "open_clip_config.json").write_text(json.dumps(description))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


def png(picture: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
