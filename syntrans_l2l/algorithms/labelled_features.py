"""What SynTrans is fitted on: features, labels and class vectors of some classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.array_file import as_labels, as_vectors
from syntrans_l2l.cache import tensor_digest
from syntrans_l2l.datasets.base import Split


@dataclass(frozen=True)
class Aligned:
    """Images and class texts in one space, which need not be that of the class vectors.

    A is the width of the space, such as that of CLIP's two towers.

    Args:
        features: of the images, [n, A]; normalised or not.
        vectors: of the classes, [C, A]; None for base classes that have no text there.
    """

    features: Tensor
    vectors: Tensor | None

    def unit(self, device: torch.device) -> "Aligned":
        """Both normalised, on the device."""
        vectors = None if self.vectors is None else F.normalize(self.vectors.to(device), dim=-1)
        return Aligned(F.normalize(self.features.to(device), dim=-1), vectors)


class LabelledFeatures:
    """Features of some classes' images, as an encoder gives them, and the classes' vectors.

    What is given may be a numpy array, a list or a torch tensor, of any number type; kept are
    float32 and int64 tensors.

    Args:
        features: [n, D]; normalised or not.
        labels: which class each image is of, 0 to C - 1, [n].
        class_vectors: [C, M], as a text encoder gives them; None for a visual classifier.
        class_names: C names; empty where they have none.
        aligned: the same images and classes in a space that both share; None where there is none.

    Raises:
        ValueError: shapes do not fit, a number is NaN or infinite, labels are no classes, or a
            class has no image.
    """

    def __init__(
        self,
        features: ArrayLike | Tensor,
        labels: ArrayLike | Tensor,
        class_vectors: ArrayLike | Tensor | None = None,
        class_names: Sequence[str] = (),
        *,
        aligned: Aligned | None = None,
    ) -> None:
        self.features = _numbers(features, "features")
        self.labels = as_labels(labels)
        self.class_vectors = None
        if class_vectors is not None:
            self.class_vectors = _numbers(class_vectors, "class_vectors")
        self.class_names = tuple(str(name) for name in class_names)
        self.named = bool(self.class_names)
        self.aligned = None if aligned is None else _checked(aligned)
        self._check()
        if not self.class_names:
            self.class_names = tuple(f"class {label}" for label in range(self._classes))

    @property
    def _classes(self) -> int:
        """C."""
        if self.class_vectors is not None:
            return len(self.class_vectors)
        return len(self.class_names) or int(self.labels.max()) + 1

    def _check(self) -> None:
        if len(self.labels) != len(self.features):
            raise ValueError(
                f"{len(self.features)} features need as many labels, got {len(self.labels)}"
            )
        vectors, names, classes = self.class_vectors, self.class_names, self._classes
        if (names and len(names) != classes) or len(set(names)) != len(names):
            raise ValueError(
                f"class_names must be distinct, one for each of the {classes} class_vectors, got "
                f"{len(names)} names ({len(set(names))} distinct)"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if not 0 <= low <= high < classes:
            raise ValueError(
                f"labels must lie in 0 to {classes - 1}, the rows of class_vectors or the places "
                f"in class_names, got {low} to {high}"
            )
        if empty := torch.where(torch.bincount(self.labels, minlength=classes) == 0)[0].tolist():
            raise ValueError(
                f"no features have the labels {empty[:8]}: drop classes that have no image, and "
                "number the others from 0 without gaps"
            )
        if vectors is not None and not bool((vectors != 0).any(1).all()):
            raise ValueError("class_vectors hold a vector of zeros; make these vectors again")
        if self.aligned is not None:
            self._check_aligned(self.aligned)

    def _check_aligned(self, aligned: Aligned) -> None:
        if len(aligned.features) != len(self.features):
            raise ValueError(
                f"{len(self.features)} features need as many aligned features, got "
                f"{len(aligned.features)}"
            )
        if aligned.vectors is not None and len(aligned.vectors) != self._classes:
            raise ValueError(
                f"{self._classes} classes need as many aligned vectors, got {len(aligned.vectors)}"
            )

    def __len__(self) -> int:
        return len(self.features)

    @property
    def digest(self) -> str:
        """Hash of the numbers, for cache keys."""
        tensors = {"features": self.features, "labels": self.labels}
        if self.class_vectors is not None:
            tensors["class_vectors"] = self.class_vectors
        if self.aligned is not None:
            tensors["aligned"] = self.aligned.features
            if self.aligned.vectors is not None:
                tensors["aligned_vectors"] = self.aligned.vectors
        return tensor_digest(tensors)[:20]

    def class_counts(self) -> list[int]:
        """Images of each class."""
        return torch.bincount(self.labels, minlength=len(self.class_names)).tolist()

    def split(self) -> Split:
        """The same, as what episodes are drawn from."""
        return Split(self.features, self.labels.cpu(), self.class_names)


def _checked(aligned: Aligned) -> Aligned:
    """The same in float32, or ValueError."""
    features, vectors = _numbers(aligned.features, "aligned features"), aligned.vectors
    if vectors is not None:
        vectors = _numbers(vectors, "aligned vectors")
        if vectors.shape[1] != features.shape[1]:
            raise ValueError(
                f"aligned features have width {features.shape[1]}, aligned vectors "
                f"{vectors.shape[1]}: they must lie in one space"
            )
        if not bool((vectors != 0).any(1).all()):
            raise ValueError("aligned vectors hold a vector of zeros; make these vectors again")
    return Aligned(features, vectors)


def _numbers(values: ArrayLike | Tensor, name: str) -> Tensor:
    """A matrix of finite float32."""
    tensor = as_vectors(values, name).detach()
    if tensor.ndim != 2 or 0 in tensor.shape:
        raise ValueError(
            f"{name} must be a matrix of numbers, a row for each, got {list(tensor.shape)}"
        )
    if not tensor.isfinite().all():
        raise ValueError(f"{name} hold NaN or infinity; make them again")
    return tensor
