"""What the pages of the documentation take for granted: small files, and short stages."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from common import SPLITS, write_archive
from PIL import Image

from syntrans_l2l.algorithms.fitting import fit_syntrans
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.meta import MetaTraining

IMAGES, D, M = 20, 32, 16
OF = ["train"] * 24 + ["val"] * 6 + ["test"] * 6
NAMES = [f"class {number}" for number in range(len(OF))]
NET = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 5, stride=5), nn.ReLU())
"""


class Words:
    """Stands for a sentence encoder, which would be downloaded."""

    source = "words"

    def encode_classes(self, class_names: list[str]) -> SemanticBank:
        generator = torch.Generator().manual_seed(0)
        vectors = torch.randn(len(class_names), 12, generator=generator)
        return SemanticBank(tuple(class_names), vectors, self.source)


def write_files(folder: Path) -> None:
    """features.npz, vectors.npz, base.npz, validation.npz, birds, own_net and data/cifarfs."""
    chance = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(OF)), IMAGES)
    vectors = chance.normal(size=(len(OF), M))
    features = vectors[labels] @ chance.normal(size=(M, D)) + chance.normal(size=(len(labels), D))
    np.savez(folder / "features.npz", features=features, labels=labels, class_names=NAMES, split=OF)
    of_cifar = [name for names in SPLITS.values() for name in names]
    np.savez(
        folder / "vectors.npz",
        class_names=NAMES + of_cifar,
        vectors=np.concatenate([vectors, chance.normal(size=(len(of_cifar), M))]),
    )
    for name, split in (("base", "train"), ("validation", "val")):
        classes = [number for number, of in enumerate(OF) if of == split]
        rows = np.isin(labels, classes)
        np.savez(
            folder / f"{name}.npz",
            features=features[rows],
            labels=labels[rows] - classes[0],
            class_vectors=vectors[classes],
            class_names=[NAMES[number] for number in classes],
        )
    write_pictures(folder / "birds", chance)
    (folder / "own_net.py").write_text(NET)
    weights = {
        f"module.{name}": weight
        for name, weight in torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5)).state_dict().items()
    }
    torch.save({"state_dict": weights}, folder / "own_net.pth")
    write_archive(folder / "data", SPLITS, IMAGES)


def write_pictures(folder: Path, chance: Any) -> None:
    """A folder for each class, of a colour, and splits.json."""
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        colour = chance.integers(40, 215, size=3)
        for number in range(IMAGES):
            pixels = colour + chance.normal(0, 30, size=(24, 24, 3))
            picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            picture.save(folder / name / f"{number}.png")
    splits = {
        split: [name for name, of in zip(NAMES, OF, strict=True) if of == split]
        for split in ("train", "val", "test")
    }
    (folder / "splits.json").write_text(json.dumps(splits))


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults of a test's size; and no sentence encoder is downloaded."""
    small: list[tuple[Any, dict[str, int]]] = [
        (Experiment.__init__, {"episodes": 30, "validation_episodes": 20}),
        (fit_syntrans, {"episodes": 20}),
        (BridgeTraining.__init__, {"hidden": 16, "epochs": 1}),
        (MetaTraining.__init__, {"iterations": 2}),
        (BaseTraining.__init__, {"epochs": 3}),
    ]
    for function, values in small:
        for name, value in values.items():
            assert name in function.__kwdefaults__
            monkeypatch.setitem(function.__kwdefaults__, name, value)
    monkeypatch.setattr("syntrans_l2l.semantics.text_encoder.SentenceEncoder", Words)
