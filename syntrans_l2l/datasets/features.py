"""Features of any encoder as a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from syntrans_l2l.array_file import as_labels, as_vectors
from syntrans_l2l.cache import digest, tensor_digest
from syntrans_l2l.datasets.base import ALIASES, SPLITS, FewShotData, Split, named_with_least


@dataclass(frozen=True, kw_only=True)
class FeatureData(FewShotData):
    """A data set whose splits hold features [n, D], made by what `encoder` names.

    Args:
        encoder: for the records.
        teacher_features: of the same images by a teacher, [n, A] for each split, NaN rows where
            there are none; None where the data bring none.
        teacher: the name of the teacher's model; empty where it is not declared.
        shared_space: whether the features themselves lie in a space in which class vectors lie.
    """

    encoder: str
    teacher_features: Mapping[str, Tensor] | None = None
    teacher: str = ""
    shared_space: bool = False


def feature_data(
    features: object,
    labels: object,
    class_names: Sequence[str],
    split: Sequence[str],
    *,
    name: str = "features",
    encoder: str = "given features",
    teacher_features: object = None,
    teacher: str = "",
    shared_space: bool = False,
    least: int = 0,
    where: str = "",
) -> FeatureData:
    """Arrays as a data set of features.

    Args:
        features: [n, D], numpy or torch, of any number type.
        labels: [n], places in `class_names`.
        class_names: [C].
        split: of each class, [C]: train, val or test; train may be absent.
        name: of the data set, for the records.
        encoder: what made the features, for the records.
        teacher_features: a teacher's of the same images, [n, A]; NaN rows where there are none.
        teacher: its model.
        shared_space: whether the features lie in a space in which class vectors lie.
        least: leave out classes of fewer rows than this; the name says so.
        where: what errors begin with.

    Raises:
        ValueError: they are not of this form.
    """
    vectors = as_vectors(features, f"{where}features")
    places = as_labels(labels, f"{where}labels")
    names, of = list(class_names), [ALIASES.get(each, each) for each in split]
    _check(where, vectors, places, names, of)
    taught = None
    if teacher_features is not None:
        taught = as_vectors(teacher_features, f"{where}teacher_features")
        _check_teacher(where, taught, len(vectors))
    counts = torch.bincount(places, minlength=len(names)).tolist()
    parts, of_teacher = {}, dict[str, Tensor]()
    for each in SPLITS:
        classes = [label for label, its in enumerate(of) if its == each and counts[label] >= least]
        new = torch.full((len(names),), -1)
        new[classes] = torch.arange(len(classes))
        rows = torch.where(new[places] >= 0)[0]
        parts[each] = Split(
            vectors[rows], new[places[rows]], tuple(names[label] for label in classes)
        )
        if taught is not None:
            of_teacher[each] = taught[rows]
    contents = tensor_digest({"features": vectors, "labels": places})
    key = {"tensors": contents, "class_names": names, "split": of}
    return FeatureData(
        name=named_with_least(name, least),
        fingerprint=digest({**key, "least": least} if least > 0 else key),
        encoder=encoder,
        teacher_features=None if taught is None else of_teacher,
        teacher=teacher,
        shared_space=shared_space,
        **parts,
    )


def _check_teacher(where: str, features: Tensor, rows: int) -> None:
    """Raise ValueError with what is wrong and what to do."""
    if features.ndim != 2 or len(features) != rows or not features.shape[1]:
        raise ValueError(
            f"{where}teacher_features must be [n, A], a row for each of the {rows} features, got "
            f"{list(features.shape)}"
        )
    seen = features.isfinite().all(1)
    if not seen.any():
        raise ValueError(
            f"{where}teacher_features hold no row without NaN; make them again, or leave them out"
        )
    if not features[~seen].isnan().all():
        raise ValueError(
            f"{where}teacher_features have rows with some NaN or infinity; a row without features "
            "is NaN throughout"
        )


def _check(where: str, features: Tensor, labels: Tensor, names: list[str], of: list[str]) -> None:
    """Raise ValueError with what is wrong and what to do."""
    if features.ndim != 2 or not features.shape[1] or labels.shape != features.shape[:1]:
        raise ValueError(
            f"{where}features must be [n, D] and labels [n], got {list(features.shape)} and "
            f"{list(labels.shape)}"
        )
    if not features.isfinite().all():
        raise ValueError(f"{where}features hold NaN or infinity; make them again")
    if len(names) != len(of) or len(set(names)) != len(names):
        raise ValueError(
            f"{where}class_names must be distinct and split have one entry for each, got "
            f"{len(names)} names ({len(set(names))} distinct) and {len(of)} entries"
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(names):
        raise ValueError(
            f"{where}labels must lie in 0 to {len(names) - 1}, the places in class_names, got "
            f"{int(labels.min())} to {int(labels.max())}"
        )
    if unknown := set(of) - set(SPLITS):
        raise ValueError(f"{where}split must be train, val or test, got {sorted(unknown)}")
    lacking = {"validation", "test"} - set(of)
    if lacking:
        raise ValueError(f"{where}no class has the split {' or '.join(sorted(lacking))}")
