"""A network of one's own with weights of one's own, as an encoder."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from syntrans_l2l.encoders.base import (
    Encoded,
    Workspace,
    architecture,
    check_picture,
    encode_with,
    require_images,
)
from syntrans_l2l.encoders.weights import load_weights, read_weights
from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.precision import Precision

logger = logging.getLogger(__name__)


class Checkpoint:
    """A published or own backbone, frozen; stage 0 is behind it.

    Maps [n, D, H, W] that the module gives are averaged over H and W.

    Args:
        module: builds the network: a class or function, or its name, "package.file.Name".
        path: the weights: a plain state dict, or one under a customary name such as "params",
            "model" or "state_dict", in torch's form or as safetensors. Prefixes such as
            `encoder.` and heads that the module lacks are left out.
        arguments: of `module`, by name.
        mean: what is taken from pixels in [0, 1], by channel; as the weights were trained.
        std: what the rest is divided by. Without both, the network sees pixels in [0, 1].
        image_size: pixels to resize images to; None leaves them as they are.
        precision: of the forward passes.

    Raises:
        ValueError: mean without std, or not three numbers each.
    """

    sees_teacher_images = False
    semantic_dim = None

    def __init__(
        self,
        module: Callable[..., nn.Module] | str,
        path: str | Path,
        *,
        arguments: Mapping[str, object] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        image_size: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        if (mean is None) != (std is None):
            raise ValueError("Checkpoint.mean and Checkpoint.std go together: give both or neither")
        if mean is not None and std is not None and not (len(mean) == len(std) == 3 and all(std)):
            raise ValueError(
                "Checkpoint.mean and Checkpoint.std are three numbers each, and no std is 0; got "
                f"{list(mean)} and {list(std)}"
            )
        self.module = module
        self.path = Path(path).expanduser()
        self.arguments = dict(arguments or {})
        self.mean, self.std = mean, std
        self.image_size = image_size
        self.precision: Precision = precision

    @cached_property
    def name(self) -> str:
        """The network, its weights with their hash, and what it sees.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if not self.path.is_file():
            raise FileNotFoundError(f"no weights at {self.path}: set Checkpoint.path")
        called = self.module if isinstance(self.module, str) else self.module.__name__
        file = hashlib.sha256(self.path.read_bytes()).hexdigest()[:8]
        given = f"({', '.join(f'{k}={v}' for k, v in self.arguments.items())})"
        parts = [
            called.rpartition(".")[2] + (given if self.arguments else ""),
            f"weights {self.path.name} {file}",
        ]
        if self.image_size is not None:
            parts.append(f"{self.image_size} px")
        if self.mean is not None and self.std is not None:
            parts.append(f"mean {list(self.mean)}, std {list(self.std)}")
        return ", ".join(parts)

    def check(self, size: int | None) -> None:
        self._student(require_images("Checkpoint", size))
        if self.mean is None:
            logger.warning(
                "%s sees pixels in [0, 1] as they are; set Checkpoint.mean and Checkpoint.std if "
                "it was trained on normalised ones",
                self.name,
            )

    def network(self, work: Workspace) -> Student:
        size = work.data.test.images.shape[-1]
        return work.network(self, lambda: self._student(size))

    def encode(self, work: Workspace) -> Encoded:
        student = self.network(work)
        recipe = {"name": self.name, **architecture(student)}
        return encode_with(student, work, name=self.name, recipe=recipe, precision=self.precision)

    def _student(self, size: int) -> Student:
        """The network with its weights, tried on a picture of `size` px, in eval mode."""
        name = self.name  # a missing file is found before the network is built
        module = self._built()
        load_weights(module, read_weights(self.path), self.path)
        steps: list[nn.Module] = [module, _Averaged()]
        if self.image_size is not None:
            steps.insert(0, nn.Upsample(size=(self.image_size, self.image_size), mode="bilinear"))
        advice = "set Checkpoint.image_size to the pixels that it was trained on"
        student = Student(nn.Sequential(*steps), 0, name, pretrained=True, advice=advice)
        student.mean.copy_(torch.tensor(self.mean or (0.0, 0.0, 0.0)).view(3, 1, 1))
        student.std.copy_(torch.tensor(self.std or (1.0, 1.0, 1.0)).view(3, 1, 1))
        student.out_features = check_picture(student, size)
        return student.eval().requires_grad_(False)

    def _built(self) -> nn.Module:
        make = _found(self.module) if isinstance(self.module, str) else self.module
        try:
            module = make(**self.arguments)
        except TypeError as error:
            raise ValueError(
                f"Checkpoint.module {self.module!r} cannot be made with {self.arguments} "
                f"({error}); set Checkpoint.arguments"
            ) from error
        if not isinstance(module, nn.Module):
            raise ValueError(f"Checkpoint.module {self.module!r} makes no torch module: {module!r}")
        return module


class _Averaged(nn.Module):
    """Maps [n, D, H, W] or features [n, D] -> [n, D]."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3)) if features.ndim == 4 else features


def _found(name: str) -> Callable[..., nn.Module]:
    """The class or function that "package.file.Name" names."""
    place, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        return cast(Callable[..., nn.Module], getattr(import_module(place), attribute))
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"Checkpoint.module {name!r} cannot be imported ({error}); write 'file.Name', and let "
            "the file lie where Python finds it"
        ) from error
