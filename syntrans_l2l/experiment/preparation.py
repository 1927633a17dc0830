"""What methods stand on: encoders' features and class vectors, made on demand and cached."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from syntrans_l2l.cache import digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.encoders.base import Encoded, Encoder, Workspace
from syntrans_l2l.encoders.clip import Teacher, model, required_teacher, teacher_images
from syntrans_l2l.experiment.row import EncoderName
from syntrans_l2l.networks.student import Student
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.bank_file import BankFile, MinedBank, Miner, kept_bank
from syntrans_l2l.semantics.synmine import SynMine
from syntrans_l2l.semantics.text_encoder import TextEncoder


@dataclass(frozen=True)
class Preparation:
    """Features and class vectors of one data set; each is computed when it is first asked for.

    Args:
        work: the data, the cache and the job.
        named: the experiment's own encoders.
        mined: the banks with phrases that rows have asked for, by the hash of their vectors.
    """

    work: Workspace
    named: Mapping[EncoderName, Encoder]
    mined: dict[str, MinedBank] = field(default_factory=dict, repr=False)
    # by id, which is one encoder's own for as long as the encoder is kept beside it
    _encoded: dict[int, tuple[Encoder, Encoded]] = field(default_factory=dict, repr=False)
    _banks: dict[str, SemanticBank] = field(default_factory=dict, repr=False)

    def encoder(self, encoder: EncoderName | Encoder) -> Encoder:
        """The encoder of a name; an encoder is its own."""
        return self.named[encoder] if isinstance(encoder, str) else encoder

    def encoded(self, encoder: EncoderName | Encoder) -> Encoded:
        """The features of an encoder."""
        encoder = self.encoder(encoder)
        if id(encoder) not in self._encoded:
            self._encoded[id(encoder)] = encoder, encoder.encode(self.work)
        return self._encoded[id(encoder)][1]

    def student(self, encoder: EncoderName | Encoder) -> Student | None:
        """The network behind an encoder, in eval mode; None where there is none of ours."""
        return self.encoder(encoder).network(self.work)

    def of_teacher(self, teacher: Teacher | None) -> tuple[dict[str, Tensor], str]:
        """A teacher's features of base images by split, rows of NaN for all others, and its model.

        Raises:
            ValueError: there is no teacher, or it has no features of these images.
        """
        teacher, data = required_teacher(teacher), self.work.data
        features = {"train": teacher_images(teacher, self.work, "train").float()}
        for split in ("validation", "test"):
            count = len(getattr(data, split).labels)
            features[split] = torch.full((count, features["train"].shape[1]), torch.nan)
        return features, model(teacher, data)

    def semantics(self, encoder: TextEncoder, names: tuple[str, ...] | None = None) -> SemanticBank:
        """Stage 2: one vector a class.

        Args:
            encoder: makes them.
            names: of the classes; None for all of the data set.

        Raises:
            ValueError: a class has no vector; the message lists the missing names.
        """
        # a name that two data sets have is one class
        names = tuple(dict.fromkeys(names or self.work.data.class_names))
        cache = self.work.cache
        if isinstance(encoder, SynMine):
            encoder = encoder.among(self.work.data.train.class_names)
        key = {**encoder.key(), "class_names": list(names), "code": code_digest(encoder)}
        place = digest(key)
        if place not in self._banks:
            if isinstance(encoder, Miner):
                file = cache.root / "banks" / f"{place}.json"
                with cache.turn(place):
                    bank = kept_bank(file, encoder, names, self.work.data.name)
                self._banks[place] = self._shown(bank)
            elif isinstance(encoder, BankFile):
                self._banks[place] = self._shown(encoder.of(names))
            else:
                made = cache.get(
                    "semantics", key, lambda: {"vectors": encoder.encode_classes(names).vectors}
                )
                self._banks[place] = SemanticBank(names, made["vectors"], encoder.source)
        return self._banks[place]

    def _shown(self, bank: MinedBank) -> SemanticBank:
        """The vectors of a bank, whose phrases are kept for the records."""
        self.mined[bank.vectors.digest] = bank
        return bank.vectors
