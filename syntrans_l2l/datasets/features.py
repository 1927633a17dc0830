"""Features of any encoder as a data set, and the file that carries them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from syntrans_l2l.array_file import as_labels, as_vectors, read_arrays, read_texts
from syntrans_l2l.atomic import atomic
from syntrans_l2l.cache import Cache, digest, tensor_digest
from syntrans_l2l.datasets.base import (
    ALIASES,
    SPLITS,
    FewShotData,
    Split,
    check_least,
    named_with_least,
)
from syntrans_l2l.progress import Progress, silent

_FORM = (
    "it is an .npz or .safetensors file with features [n, D], labels [n], class_names [C] and "
    "split [C] (train, val or test); in .safetensors the last two are JSON lists in the metadata; "
    "optional are teacher_features [n, A] and texts name, encoder and teacher"
)


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


class FeatureBenchmark:
    """A data set of features: no image and no student is needed, an experiment starts here.

    `train` classes may be absent: then only methods without base classes run.

    Args:
        path: the file; relative to the data root unless absolute. features [n, D], labels [n]
            from 0 to C - 1, class_names [C], split [C]; optional strings `name` of the data
            set and `encoder`, for the records. For stage 1, optionally teacher_features [n, A],
            NaN rows where there are none, and a string `teacher`, the teacher's model.
        skip_small_classes: leave out classes of fewer rows than this; the name says so.
        shared_space: whether the features are a CLIP's, and the class vectors of its text tower.
        of_teacher: whether a teacher such as CLIP made the features from the images;
            `shared_space` says so too.
    """

    size = None

    def __init__(
        self,
        path: str | Path,
        *,
        skip_small_classes: int = 0,
        shared_space: bool = False,
        of_teacher: bool = False,
    ) -> None:
        self.path = Path(path).expanduser()
        self.least = check_least(skip_small_classes)
        self.shared_space = shared_space
        self.of_teacher = of_teacher or shared_space
        self.name = named_with_least(self.path.stem, self.least)

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        data = self._read(root)
        return {split: getattr(data, split).named_counts() for split in SPLITS}

    def check_images(self, root: Path, progress: Progress = silent) -> None:
        self._read(root)

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FeatureData:
        return self._read(root)

    def _read(self, root: Path) -> FeatureData:
        """Everything, checked.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not of the stated form.
        """
        path = self.path if self.path.is_file() else root / self.path
        if not path.is_file():
            raise FileNotFoundError(f"no features at {path}; {_FORM}")
        tensors, lists = read_arrays(
            path,
            ("features", "labels"),
            ("class_names", "split"),
            form=_FORM,
            optional=("teacher_features",),
        )
        texts = read_texts(path, ("name", "encoder", "teacher"))
        return feature_data(
            tensors["features"],
            tensors["labels"],
            lists["class_names"],
            lists["split"],
            name=texts.get("name") or path.stem,
            encoder=texts.get("encoder") or path.name,
            teacher_features=tensors.get("teacher_features"),
            teacher=texts.get("teacher") or "",
            least=self.least,
            shared_space=self.shared_space,
            where=f"{path}: ",
        )


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


def save_features(
    path: Path,
    data: FewShotData,
    features: Mapping[str, Tensor],
    encoder: str,
    *,
    teacher_features: Mapping[str, Tensor] | None = None,
    teacher: str = "",
) -> None:
    """Write what FeatureBenchmark reads, as safetensors.

    Args:
        path: the file.
        data: whose labels and class names are written.
        features: of each split, [n, D].
        encoder: what made them.
        teacher_features: a teacher's of each split, [n, A]; None writes none.
        teacher: the teacher's model; empty writes none.
    """
    first, labels, of = 0, [], []
    for split in SPLITS:
        part: Split = getattr(data, split)
        labels.append(part.labels + first)
        of += [split] * len(part.class_names)
        first += len(part.class_names)
    texts = {
        "class_names": json.dumps(data.class_names),
        "split": json.dumps(of),
        "name": data.name,
        "encoder": encoder,
        **({"teacher": teacher} if teacher else {}),
    }
    tensors = {
        "features": torch.cat([features[split] for split in SPLITS]).contiguous(),
        "labels": torch.cat(labels),
    }
    if teacher_features is not None:
        each = [teacher_features[split].float() for split in SPLITS]
        tensors["teacher_features"] = torch.cat(each).contiguous()
    with atomic(path) as partial:
        save_file(tensors, partial, metadata=texts)


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
