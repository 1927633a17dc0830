"""Text towers: from texts to normalised vectors, whether of a CLIP or of a sentence encoder."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from syntrans_l2l.encoders.text_length import tell_what_is_cut
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
    """A sentence encoder, pooled as its own files say, and normalised.

    sentence-transformers reads the pooling (the mean, [CLS], the maximum, the last token, ...),
    further layers, prompts and the number of tokens; a model without such files gives the mean of
    its last hidden states. Texts that are too long are told in the log.

    Source: Sentence-BERT (Reimers & Gurevych, EMNLP 2019).

    Args:
        name_or_path: a hub name, or a local folder with config, tokenizer and weights.
        prompt: what stands before each text, or the name of one of the model's own prompts; None
            is the prompt that the model's files make its default, which for most is none.

    Raises:
        FileNotFoundError: `name_or_path` looks like a folder and is none.
    """

    def __init__(
        self,
        name_or_path: str = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        prompt: str | None = None,
    ) -> None:
        self.pretrained = pretrained(
            name_or_path, kind="sentence encoder", binding="SENTENCE_ENCODER"
        )
        self.prompt = prompt
        self.source = self.pretrained.label + (f", prompt {prompt!r}" if prompt else "")

    @property
    def digest(self) -> str:
        prompt = "" if self.prompt is None else f", prompt {self.prompt!r}"
        return self.pretrained.fingerprint + prompt

    def text_features(self, texts: Sequence[str], batch_size: int = 128) -> Tensor:
        model = self._model
        prompt = model.prompts.get(self.prompt, self.prompt)
        if self.prompt is None and model.default_prompt_name is not None:
            prompt = model.prompts[model.default_prompt_name]
        whole = [f"{prompt or ''}{text}" for text in texts]
        lengths = [len(ids) for ids in model.tokenizer(whole, verbose=False)["input_ids"]]
        tell_what_is_cut(self.source, texts, lengths, model.max_seq_length)
        normalised = type(model[-1]).__name__ == "Normalize"  # a second time would change last bits
        pieces = [
            model.encode(
                list(texts[start : start + batch_size]),  # by itself it would sort them by length
                prompt=prompt,
                batch_size=batch_size,
                normalize_embeddings=not normalised,
                convert_to_tensor=True,
                show_progress_bar=False,
            ).float()
            for start in range(0, len(texts), batch_size)
        ]
        return torch.cat(pieces).clone()  # [len(texts), M]; of no inference mode

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(self.pretrained.location, device="cpu").eval()
        except (OSError, ValueError, KeyError) as error:
            raise FileNotFoundError(
                f"cannot load the sentence encoder {self.pretrained.location!r} "
                f"({str(error).splitlines()[0]}); set SENTENCE_ENCODER to a local folder, "
                "or VECTORS to a file of class vectors"
            ) from error
