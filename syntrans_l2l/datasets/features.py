"""Features of any encoder as a data set, and the file that carries them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from syntrans_l2l.array_file import read_arrays, read_texts
from syntrans_l2l.cache import Cache, digest, tensor_digest
from syntrans_l2l.datasets.base import ALIASES, SPLITS, FewShotData, Split
from syntrans_l2l.progress import Progress, silent

_FORM = (
    "it is an .npz or .safetensors file with features [n, D], labels [n], class_names [C] and "
    "split [C] (train, val or test); in .safetensors the last two are JSON lists in the metadata"
)


@dataclass(frozen=True, kw_only=True)
class FeatureData(FewShotData):
    """A data set whose splits hold features [n, D], made by what `encoder` names."""

    encoder: str


class FeatureBenchmark:
    """A data set of features: no image and no student is needed, an experiment starts here.

    `train` classes may be absent: then only methods without base classes run.

    Args:
        path: the file; relative to the data root unless absolute. features [n, D], labels [n]
            from 0 to C - 1, class_names [C], split [C]; optional strings `name` of the data
            set and `encoder`, for the records.
    """

    size = None

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.name = self.path.stem

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        data = self._read(root)
        return {split: getattr(data, split).named_counts() for split in SPLITS}

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
            path, ("features", "labels"), ("class_names", "split"), form=_FORM
        )
        features, labels, names = (
            tensors["features"].float(),
            tensors["labels"],
            lists["class_names"],
        )
        of = [ALIASES.get(each, each) for each in lists["split"]]
        texts = read_texts(path, ("name", "encoder"))
        _check(path, features, labels, names, of)
        labels = labels.long()
        parts = {}
        for split in SPLITS:
            classes = [label for label, its in enumerate(of) if its == split]
            place = torch.full((len(names),), -1)
            place[classes] = torch.arange(len(classes))
            rows = torch.where(place[labels] >= 0)[0]
            parts[split] = Split(
                features[rows], place[labels[rows]], tuple(names[label] for label in classes)
            )
        contents = tensor_digest({"features": features, "labels": labels})
        fingerprint = digest({"tensors": contents, "class_names": names, "split": of})
        return FeatureData(
            name=texts.get("name") or self.name,
            fingerprint=fingerprint,
            encoder=texts.get("encoder") or path.name,
            **parts,
        )


def save_features(
    path: Path, data: FewShotData, features: Mapping[str, Tensor], encoder: str
) -> None:
    """Write what FeatureBenchmark reads, as safetensors: the features of each split of `data`."""
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
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    tensors = {
        "features": torch.cat([features[split] for split in SPLITS]).contiguous(),
        "labels": torch.cat(labels),
    }
    save_file(tensors, partial, metadata=texts)
    partial.replace(path)


def _check(path: Path, features: Tensor, labels: Tensor, names: list[str], of: list[str]) -> None:
    """Raise ValueError with what is wrong and what to do."""
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"{path}: features must be [n, D] and labels [n], got {list(features.shape)} and "
            f"{list(labels.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"{path}: labels are not whole numbers, but {labels.dtype}")
    if not features.isfinite().all():
        raise ValueError(f"{path}: features hold NaN or infinity; make them again")
    if len(names) != len(of) or len(set(names)) != len(names):
        raise ValueError(
            f"{path}: class_names must be distinct and split have one entry for each, got "
            f"{len(names)} names ({len(set(names))} distinct) and {len(of)} entries"
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(names):
        raise ValueError(
            f"{path}: labels must lie in 0 to {len(names) - 1}, the places in class_names, got "
            f"{int(labels.min())} to {int(labels.max())}"
        )
    if unknown := set(of) - set(SPLITS):
        raise ValueError(f"{path}: split must be train, val or test, got {sorted(unknown)}")
    lacking = {"validation", "test"} - set(of)
    if lacking:
        raise ValueError(f"{path}: no class has the split {' or '.join(sorted(lacking))}")
