"""A teacher's image features that people bring, where the teacher itself is not at hand."""

from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.array_file import as_vectors, read_arrays, read_texts
from syntrans_l2l.datasets.base import FewShotData, Split
from syntrans_l2l.datasets.features import FeatureData

_FORM = (
    "it is an .npz or .safetensors file with features [n, A] and images [n], the last two parts "
    "of each image's path, CLASS/FILE; in .safetensors `images` is a JSON list in the metadata"
)


class TeacherFeatures:
    """A teacher's features of pictures, by the pictures' paths; it needs no model.

    Args:
        path: the file: features [n, A], images [n] such as "dalmatian/image_0001.jpg", and
            optionally a text `teacher`, the model's name.
        name: the model that made them; empty takes the file's own `teacher`.
    """

    def __init__(self, path: str | Path, *, name: str = "") -> None:
        self.path = Path(path).expanduser()
        self.name = name

    @property
    def source(self) -> str:
        """What records call the teacher."""
        return self.model(None) or f"features of {self.path.name}"

    def model(self, data: FewShotData | None) -> str:
        """The model's name as it is declared; empty where it is not."""
        if self.name or not self.path.is_file():
            return self.name
        return read_texts(self.path, ("teacher",)).get("teacher", "")

    def check(self) -> None:
        """Find out whether the file is there, and of its form.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not of the stated form.
        """
        _ = self._rows

    def features(self, data: FewShotData, split: str) -> Tensor:
        """Of a split's images, [n, A], normalised; NaN rows for images that it does not know.

        Raises:
            ValueError: images of this data set have no paths.
        """
        part: Split = getattr(data, split)
        rows, features = self._rows
        if not part.image_names:
            raise ValueError(
                f"{data.name} does not say what its images' files are called, so {self.path.name} "
                "cannot be matched with them: use an ImageFolderBenchmark"
            )
        found = torch.tensor([rows.get(name, -1) for name in part.image_names], dtype=torch.int64)
        seen = features[found]
        seen[found < 0] = torch.nan
        return F.normalize(seen, dim=-1)

    @cached_property
    def _rows(self) -> tuple[dict[str, int], Tensor]:
        if not self.path.is_file():
            raise FileNotFoundError(f"no teacher's features at {self.path}; {_FORM}")
        arrays, lists = read_arrays(self.path, ("features",), ("images",), form=_FORM)
        features = as_vectors(arrays["features"], f"{self.path}: features")
        names = lists["images"]
        if features.ndim != 2 or len(features) != len(names) or len(set(names)) != len(names):
            raise ValueError(
                f"{self.path}: features must be [n, A] and images n distinct paths, got "
                f"{list(features.shape)} and {len(names)} paths ({len(set(names))} distinct)"
            )
        return {name: row for row, name in enumerate(names)}, features


class FeaturesOfTheData:
    """The `teacher_features` that a data set of features brings along."""

    source = "teacher_features of the data"

    def model(self, data: FewShotData | None) -> str:
        """The model's name as the file declares it; empty where it does not."""
        return data.teacher if isinstance(data, FeatureData) else ""

    def check(self) -> None:
        """Nothing can be asked before the data are there."""

    def features(self, data: FewShotData, split: str) -> Tensor:
        """Of a split's images, [n, A], normalised; NaN rows where there are none.

        Raises:
            ValueError: the data bring none.
        """
        if not isinstance(data, FeatureData) or data.teacher_features is None:
            raise ValueError(
                f"{data.name} brings no teacher_features: add them to the file (syntrans "
                "export-features --teacher writes them), or drop rows on the distilled encoder"
            )
        return F.normalize(data.teacher_features[split], dim=-1)
