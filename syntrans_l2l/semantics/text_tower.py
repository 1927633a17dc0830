"""Text towers: from texts to normalised vectors, whether of a CLIP or of a sentence encoder."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from syntrans_l2l.semantics.pretrained import pretrained


class TextTower(Protocol):
    """What SynMine encodes and refines with; ClipTeacher is one, SentenceTower another."""

    source: str

    @property
    def digest(self) -> str:
        """Stands for the weights in cache keys."""
        ...

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Normalised vectors of texts, [len(texts), M] float32 on the CPU."""
        ...


class SentenceTower:
    """A sentence encoder through transformers: mean of the last hidden states, normalised.

    Source: the pooling of Sentence-BERT (Reimers & Gurevych, EMNLP 2019).

    Args:
        name_or_path: a hub name, or a local folder with config, tokenizer and weights.

    Raises:
        FileNotFoundError: `name_or_path` looks like a folder and is none.
    """

    def __init__(self, name_or_path: str = "sentence-transformers/all-MiniLM-L6-v2") -> None:
        self.pretrained = pretrained(
            name_or_path, kind="sentence encoder", binding="SENTENCE_ENCODER"
        )
        self.source = self.pretrained.label

    @property
    def digest(self) -> str:
        return self.pretrained.fingerprint

    @torch.no_grad()
    def text_features(self, texts: Sequence[str], batch_size: int = 128) -> Tensor:
        tokenizer, model = self._loaded
        pieces = []
        for start in range(0, len(texts), batch_size):
            batch = tokenizer(
                list(texts[start : start + batch_size]),
                padding=True,
                truncation=True,
                return_tensors="pt",
            )
            hidden = model(**batch).last_hidden_state  # [batch, tokens, M]
            mask = batch["attention_mask"][..., None].to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            pieces.append(torch.nn.functional.normalize(mean, dim=-1).float())
        return torch.cat(pieces)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModel, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.pretrained.location)
            model = AutoModel.from_pretrained(self.pretrained.location).eval()
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"cannot load the sentence encoder {self.pretrained.location!r} "
                f"({str(error).splitlines()[0]}); set SENTENCE_ENCODER to a local folder, "
                "or VECTORS to a file of class vectors"
            ) from error
        return tokenizer, model
