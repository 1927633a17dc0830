"""Class vectors of an arena as methods use them: centred on the base classes, of unit length."""

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.algorithms.class_vectors import base_mean, centre
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.bridge import class_centres


def required_bank(arena: Arena, name: str) -> SemanticBank:
    """The arena's semantics, for the method called `name`.

    Raises:
        ValueError: there are none.
    """
    if arena.semantics is None:
        raise ValueError(
            f"{name} needs class vectors, and the arena has no semantics: set uses_text = True"
        )
    return arena.semantics


def centred_vectors(
    data: FewShotData, bank: SemanticBank, device: torch.device
) -> dict[str, Tensor]:
    """The vectors of each split's classes, [C, M], centred with the mean of the base classes."""
    mean = base_mean(bank.select(data.train.class_names))
    return {
        split: centre(bank.select(getattr(data, split).class_names), mean).to(device)
        for split in SPLITS
    }


def shared_vectors(arena: Arena, name: str) -> dict[str, Tensor]:
    """Normalised vectors of the classes that are recognised, [C, A], in the images' space.

    They meet `Arena.shared_features`.

    Raises:
        ValueError: no semantics, no space that images and text share, or class vectors of another
            width than the features.
    """
    if (bank := arena.aligned_text) is None:
        required_bank(arena, name)
        raise ValueError(
            f"{name} compares text with images, and {arena.student_name} shares no space with a "
            "text: give its Row the encoder 'distilled' or 'teacher', say "
            "FeatureBenchmark.shared_space = True where the features are a CLIP's, or set "
            f"shared_space = False of {name}"
        )
    width = arena.shared_features()["test"].shape[1]
    if bank.vectors.shape[1] != width:
        raise ValueError(
            f"{arena.student_name} gives features of width {width}, and {bank.source} class "
            f"vectors of width {bank.vectors.shape[1]}; encode the text with the same teacher, or "
            "set shared_space = False"
        )
    return {
        split: F.normalize(bank.select(getattr(arena.data, split).class_names), dim=-1).to(
            arena.device
        )
        for split in ("validation", "test")
    }


def ridge_weights(arena: Arena, name: str, penalty: float) -> dict[str, Tensor]:
    """Classifier weights [C, D] of each split from class vectors: c + W s, normalised.

    A ridge regression from the base classes' centred vectors to their centres in the features'
    space, in closed form; c is the mean of the centres. Our stand-in for a text tower whose
    space the student does not share.

    Raises:
        ValueError: no semantics.
    """
    vectors = centred_vectors(arena.data, required_bank(arena, name), arena.device)
    features = arena.unit_features()["train"]
    base = vectors["train"]  # [B, M]
    centres = class_centres(features, arena.data.train.labels.to(arena.device), len(base))
    mean = centres.mean(0)
    gram = base @ base.T + penalty * torch.eye(len(base), device=arena.device)
    mapping = base.T @ torch.linalg.solve(gram, centres - mean)  # [M, D]
    return {split: F.normalize(mean + each @ mapping, dim=-1) for split, each in vectors.items()}
