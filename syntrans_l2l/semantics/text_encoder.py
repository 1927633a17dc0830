"""From class names to vectors: one interface, three makers."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, get_args

from syntrans_l2l.array_file import as_vectors, read_arrays, read_texts
from syntrans_l2l.encoders.teacher import ClipTeacher, Templates
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.names import readable
from syntrans_l2l.semantics.text_tower import SentenceTower

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
    """ "a photo of a NAME", with names as they are read."""
    return [PROMPT.format(readable(name)) for name in class_names]


class OpenClipText:
    """The text tower of a CLIP on class names.

    Args:
        teacher: any model of open_clip, or the embedded one.
        templates: "single" reads "a photo of a NAME"; "simple" and "openai" take the mean over
            open_clip's 7 and 80 templates.

    Raises:
        ValueError: unknown templates.
    """

    def __init__(self, teacher: ClipTeacher, *, templates: Templates = "single") -> None:
        if templates not in get_args(Templates):
            raise ValueError(
                f"OpenClipText.templates must be {', '.join(get_args(Templates))}, "
                f"got {templates!r}"
            )
        self.teacher = teacher
        self.templates = templates
        several = "" if templates == "single" else f" in {templates} templates"
        self.source = f"class names{several}, {teacher.source}"
        self.model = teacher.source

    def key(self) -> dict[str, object]:
        return {"open_clip": self.teacher.digest, "prompt": PROMPT, "templates": self.templates}

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        if self.templates == "single":
            vectors = self.teacher.text_features(prompts(class_names))
        else:
            names = [readable(name) for name in class_names]
            vectors = self.teacher.class_features(names, self.templates)
        return SemanticBank(tuple(class_names), vectors, self.source)


class SentenceEncoder:
    """A sentence encoder on class names.

    Args:
        name_or_path: a hub name, or a local folder with config, tokenizer and weights.
        prompt: as `SentenceTower` takes it.

    Raises:
        FileNotFoundError: `name_or_path` looks like a folder and is none.
    """

    def __init__(
        self,
        name_or_path: str = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        prompt: str | None = None,
    ) -> None:
        self.tower = SentenceTower(name_or_path, prompt=prompt)
        self.source = f"{self.tower.source}, class names"

    def key(self) -> dict[str, object]:
        return {"sentence_encoder": self.tower.digest, "prompt": PROMPT}

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        vectors = self.tower.text_features(prompts(class_names))
        return SemanticBank(tuple(class_names), vectors, self.source)


class VectorFile:
    """A file of vectors made elsewhere: npz or safetensors.

    npz: `class_names` [C] and `vectors` [C, M]. safetensors: the tensor `vectors`, and
    `class_names` as a JSON list in the file's metadata. A text `teacher` may name the model whose
    text tower made them.

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

    @property
    def model(self) -> str:
        """The model whose text tower made the vectors; empty where the file does not say."""
        return read_texts(self.path, ("teacher",)).get("teacher", "")

    def known(self, class_names: Sequence[str]) -> list[str]:
        """Those of the names that have a vector."""
        return self.read().known(class_names)

    def key(self) -> dict[str, object]:
        return {"vectors": hashlib.sha256(self.path.read_bytes()).hexdigest()}

    def check(self, class_names: Sequence[str]) -> int:
        return self.encode_classes(class_names).vectors.shape[1]

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        bank = self.read()
        return SemanticBank(tuple(class_names), bank.select(class_names), bank.source)

    def read(self) -> SemanticBank:
        """Everything in the file.

        Raises:
            ValueError: the file is not of the stated form.
        """
        tensors, lists = read_arrays(
            self.path,
            ("vectors",),
            ("class_names",),
            form="save it with numpy.savez(file, class_names=..., vectors=...)",
        )
        names = tuple(lists["class_names"])
        vectors = as_vectors(tensors["vectors"], f"{self.path}: vectors")
        return SemanticBank(names, vectors, self.source)
