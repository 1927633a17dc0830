"""From class names to vectors: one interface, three makers."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.teacher import ClipTeacher

PROMPT = "a photo of a {}"


class TextEncoder(Protocol):
    """Makes a SemanticBank of class names; `source` is what the records call it."""

    source: str

    def key(self) -> dict[str, object]:
        """All that determines the vectors, for the cache."""
        ...

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        """One vector a class.

        Raises:
            ValueError: a class cannot be encoded; the message lists the missing names.
        """
        ...


def prompts(class_names: Sequence[str]) -> list[str]:
    """ "a photo of a NAME", with the underscores of folder names read as spaces."""
    return [PROMPT.format(name.replace("_", " ")) for name in class_names]


class OpenClipText:
    """The text tower of a CLIP on class names.

    Args:
        teacher: any model of open_clip, or the embedded one.
    """

    def __init__(self, teacher: ClipTeacher) -> None:
        self.teacher = teacher
        self.source = f"class names, {teacher.source}"

    def key(self) -> dict[str, object]:
        return {"open_clip": self.teacher.digest, "prompt": PROMPT}

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        vectors = self.teacher.text_features(prompts(class_names))
        return SemanticBank(tuple(class_names), vectors, self.source)


class SentenceEncoder:
    """A sentence encoder through transformers: mean of the last hidden states, normalised.

    Source: the pooling of Sentence-BERT (Reimers & Gurevych, EMNLP 2019).

    Args:
        name_or_path: a hub name, or a local folder with config, tokenizer and weights.

    Raises:
        FileNotFoundError: `name_or_path` looks like a folder and is none.
    """

    def __init__(self, name_or_path: str = "sentence-transformers/all-MiniLM-L6-v2") -> None:
        path = Path(name_or_path).expanduser()
        if not path.is_dir() and (path.is_absolute() or name_or_path.startswith((".", "~"))):
            raise FileNotFoundError(
                f"no sentence encoder folder at {name_or_path}; SENTENCE_ENCODER is a folder with "
                "config.json, tokenizer and weights, or a hub name"
            )
        self.location = str(path) if path.is_dir() else name_or_path
        self.local = path.is_dir()
        folder = f"{path.resolve().parent.name}/{path.name}"
        self.source = f"{folder if self.local else name_or_path}, class names"

    def key(self) -> dict[str, object]:
        if not self.local:
            return {"sentence_encoder": self.location, "prompt": PROMPT}
        sha = hashlib.sha256()
        for file in sorted(Path(self.location).glob("*.*")):
            sha.update(f"{file.name} {file.stat().st_size}\n".encode())
        name = Path(self.location).name
        return {"sentence_encoder": f"{name} {sha.hexdigest()[:12]}", "prompt": PROMPT}

    @torch.no_grad()
    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        from transformers import AutoModel, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.location)
            model = AutoModel.from_pretrained(self.location).eval()
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"cannot load the sentence encoder {self.location!r} "
                f"({str(error).splitlines()[0]}); set SENTENCE_ENCODER to a local folder, "
                "or VECTORS to a file of class vectors"
            ) from error
        batch = tokenizer(prompts(class_names), padding=True, return_tensors="pt")
        hidden = model(**batch).last_hidden_state  # [C, tokens, M]
        mask = batch["attention_mask"][..., None].to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        vectors = torch.nn.functional.normalize(mean, dim=-1).float()
        return SemanticBank(tuple(class_names), vectors, self.source)


class VectorFile:
    """A file of vectors made elsewhere: npz or safetensors.

    npz: `class_names` [C] and `vectors` [C, M]. safetensors: the tensor `vectors`, and
    `class_names` as a JSON list in the file's metadata.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        if not self.path.is_file():
            raise FileNotFoundError(
                f"no file of class vectors at {self.path}; VECTORS is an .npz or .safetensors "
                "file with class_names and vectors"
            )
        self.source = self.path.name

    def key(self) -> dict[str, object]:
        return {"vectors": hashlib.sha256(self.path.read_bytes()).hexdigest()}

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        bank = self.read()
        return SemanticBank(tuple(class_names), bank.select(class_names), bank.source)

    def read(self) -> SemanticBank:
        """Everything in the file.

        Raises:
            ValueError: the file is not of the stated form.
        """
        read = _read_safetensors if self.path.suffix == ".safetensors" else _read_npz
        try:
            names, vectors = read(self.path)
        except (KeyError, OSError, ValueError, SafetensorError) as error:
            raise ValueError(
                f"{self.path}: cannot read class_names and vectors ({error}); "
                "save them with numpy.savez(file, class_names=..., vectors=...)"
            ) from error
        return SemanticBank(names, vectors.float(), self.source)


def _read_npz(path: Path) -> tuple[tuple[str, ...], Tensor]:
    with np.load(path, allow_pickle=False) as file:
        names = tuple(str(name) for name in file["class_names"])
        return names, torch.from_numpy(file["vectors"])


def _read_safetensors(path: Path) -> tuple[tuple[str, ...], Tensor]:
    import json

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        return tuple(json.loads(metadata["class_names"])), file.get_tensor("vectors")
