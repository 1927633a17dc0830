"""SynTrans in pytorch-lightning's Trainer, beside learn2learn's own modules."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.algorithms.syntrans import SynTrans
from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.semantics.bank import SemanticBank

if find_spec("pytorch_lightning") is None:
    raise ImportError(
        'this needs pytorch-lightning; install it with: pip install "syntrans-l2l[lightning]"'
    )

l2l = learn2learn()

if TYPE_CHECKING:
    _EpisodicModule: Any = object
else:
    _EpisodicModule = l2l.algorithms.LightningEpisodicModule

_SETTINGS = (
    *(f"{split}_{size}" for split in ("train", "test") for size in ("ways", "shots", "queries")),
    *("lr", "scheduler_step", "scheduler_decay"),
)


class LightningSynTrans(_EpisodicModule):  # type: ignore[misc]
    """Meta-trains, validates and tests a SynTrans on tasks that carry their class ids.

    The Trainer is `pytorch_lightning`'s, as learn2learn's modules are: that of `lightning.pytorch`
    refuses both, because its LightningModule is another class. Any `precision` serves.

    Args:
        algorithm: what is trained, with all of its parameters that require gradients.
        semantics: class vectors [C, M] of the "train", "validation" and "test" tasks' classes, or
            banks, which bring the names; None where all tasks are of the classes of the
            algorithm's own table.
        aligned: text of the same splits' classes [C, A] in the space that it shares with images,
            for an algorithm that weighs it.
        loss: of logits and labels.
        base: whether the training classes are those of the algorithm's memory, which must then
            not see them (`SynTrans.adapt`).
        settings: as learn2learn's modules take them: train_ways, train_shots, train_queries,
            test_ways, test_shots, test_queries, lr, scheduler_step, scheduler_decay.

    Raises:
        TypeError: an unknown setting.
        ValueError: `semantics` lacks a split.
    """

    def __init__(
        self,
        algorithm: SynTrans,
        semantics: Mapping[str, Tensor | SemanticBank] | None = None,
        *,
        aligned: Mapping[str, Tensor] | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        base: bool = False,
        **settings: float,
    ) -> None:
        super().__init__()
        unknown = sorted(set(settings) - set(_SETTINGS))
        if unknown:
            raise TypeError(f"unknown settings {unknown}; known: {', '.join(_SETTINGS)}")
        for name in _SETTINGS:
            setattr(self, name, settings.get(name, getattr(self, name)))
        self.save_hyperparameters({name: getattr(self, name) for name in _SETTINGS})
        missing = [split for split in SPLITS if semantics is not None and split not in semantics]
        if missing:
            raise ValueError(f"semantics lacks the class vectors of {', '.join(missing)}")
        self.algorithm = algorithm
        self.semantics = semantics
        self.aligned = aligned or {}
        self.loss = loss or nn.CrossEntropyLoss()
        self.base = base

    def meta_learn(
        self, batch: Any, batch_idx: int, ways: int, shots: int, queries: int
    ) -> tuple[Tensor, Tensor]:
        """Loss and accuracy of one Task: the first `shots` samples of each class are its support.

        Raises:
            ValueError: the task carries no class ids, or is of another size.
        """
        data, labels = batch
        if len(labels) != ways * (shots + queries):
            raise ValueError(
                f"{ways} ways of {shots} + {queries} samples were announced, and the task has "
                f"{len(labels)}: make the taskset's samples and the module's sizes agree"
            )
        order = torch.sort(labels, stable=True).indices.view(ways, shots + queries)
        support, query = order[:, :shots].flatten(), order[:, shots:].flatten()
        if self.semantics is not None:
            split = self._split()
            self.algorithm.set_classes_(self.semantics[split], aligned=self.aligned.get(split))
        class_ids = getattr(batch, "class_ids", None)
        base = self.base and self.training
        self.algorithm.adapt(data[support], labels[support], class_ids, base=base)
        logits = self.algorithm(data[query])
        accuracy: Tensor = l2l.utils.accuracy(logits, labels[query])
        return self.loss(logits, labels[query]), accuracy

    def _split(self) -> str:
        if self.training:
            return "train"
        return "test" if self.trainer.testing else "validation"
