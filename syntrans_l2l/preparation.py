"""What methods stand on: class vectors, the trained student and its features, all cached."""

from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from syntrans_l2l.cache import Cache, code_digest, tensor_digest
from syntrans_l2l.datasets.base import SPLITS, FewShotData
from syntrans_l2l.networks.student import Student
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.text_encoder import TextEncoder
from syntrans_l2l.training.base import BaseTraining, train_base
from syntrans_l2l.training.features import extract
from syntrans_l2l.training.precision import Precision, resolve

_STUDENT_CODE = (
    "syntrans_l2l.networks.student",
    "syntrans_l2l.networks.resnet12",
    "syntrans_l2l.training.base",
    "syntrans_l2l.training.augment",
    "syntrans_l2l.training.precision",
)


def encode_classes(encoder: TextEncoder, data: FewShotData, cache: Cache) -> SemanticBank:
    """Stage 2, for now: vectors of class names. SynMine's descriptors have their place here.

    Raises:
        ValueError: a class has no vector; the message lists the missing names.
    """
    names = data.class_names
    key = {**encoder.key(), "class_names": list(names)}

    def make() -> dict[str, Tensor]:
        return {"vectors": encoder.encode_classes(names).vectors}

    return SemanticBank(names, cache.get("semantics", key, make)["vectors"], encoder.source)


def student_features(
    student: Student,
    data: FewShotData,
    training: BaseTraining,
    *,
    seed: int,
    cache: Cache,
    device: torch.device,
    progress: Progress = silent,
) -> tuple[dict[str, Tensor], str]:
    """Stage 0, then the frozen student's features of all splits and the hash of its weights.

    Stage 1, the distillation from a CLIP teacher, has its place between the two.
    """
    weights = _trained(student, data, training, seed, cache, device, progress)
    student.load_state_dict(weights)
    student_hash = tensor_digest(weights)[:20]
    features = {}
    for split in SPLITS:
        images = getattr(data, split).images
        computed_in = _computed_in(training.precision, device)
        key = {"student": student_hash, "data": data.fingerprint, "split": split, **computed_in}

        def make(images: Tensor = images, split: str = split) -> dict[str, Tensor]:
            extracted = extract(
                student,
                images,
                device=device,
                precision=training.precision,
                progress=progress,
                stage=f"extracting {split} features",
            )
            return {"features": extracted}

        features[split] = cache.get("features", key, make)["features"]
    return features, student_hash


def _trained(
    student: Student,
    data: FewShotData,
    training: BaseTraining,
    seed: int,
    cache: Cache,
    device: torch.device,
    progress: Progress,
) -> Mapping[str, Tensor]:
    """The weights after stage 0: from the cache, or trained, resuming where a run was killed."""
    key = {
        "student": student.name,
        "data": data.fingerprint,
        "training": asdict(training),
        "seed": seed,
        "code": code_digest(*_STUDENT_CODE),
        **_computed_in(training.precision, device),
    }
    weights = cache.load("students", key)
    if weights is None:
        checkpoint_path = cache.path("students", key).with_suffix(".checkpoint.pt")
        train_base(
            student,
            data.train.images,
            data.train.labels,
            training,
            seed=seed,
            device=device,
            checkpoint_path=checkpoint_path,
            progress=progress,
        )
        weights = student.state_dict()
        cache.save("students", key, weights)
        checkpoint_path.unlink(missing_ok=True)
    return weights


def _computed_in(precision: Precision, device: torch.device) -> dict[str, str]:
    return {"computed_in": f"{resolve(precision, device)} on {device.type}"}
