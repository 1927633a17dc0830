"""The file that carries features: read as a data set, and written."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from syntrans_l2l.array_file import read_arrays, read_texts
from syntrans_l2l.atomic import atomic
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import SPLITS, FewShotData, Split, check_least, named_with_least
from syntrans_l2l.datasets.features import FeatureData, feature_data
from syntrans_l2l.progress import Progress, silent

_FORM = (
    "it is an .npz or .safetensors file with features [n, D], labels [n], class_names [C] and "
    "split [C] (train, val or test); in .safetensors the last two are JSON lists in the metadata; "
    "optional are teacher_features [n, A] and texts name, encoder and teacher"
)


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
