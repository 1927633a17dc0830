"""A vision-language model names what it sees: on base images or on an episode's support images.

Query images cannot get here. The observer takes two types alone, and these read the base
split of a data set, or the support of an episode, by themselves.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from syntrans_l2l.datasets.base import FewShotData, Split
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.cleaning import clean
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.journal import Journal
from syntrans_l2l.semantics.language_model import asked

QUESTION = (
    "List the visual features of the main thing in this picture: form, colours, surface, parts. "
    'One short English noun phrase a line, each beginning with "- ", without naming the thing.'
)


class BaseImages:
    """Sample images of base classes: the same ones for the same seed.

    Args:
        data: of which the base split alone is read.
        per_class: images of each class.
        seed: of the choice.

    Raises:
        ValueError: a class has fewer images, or the data set holds features.
    """

    declared = "sample images of base classes"

    def __init__(self, data: FewShotData, *, per_class: int = 4, seed: int = 0) -> None:
        split = data.train
        if split.images.ndim != 4:
            raise ValueError(f"{data.name} holds features, and an observer needs images")
        few = int(split.class_counts().min())
        if not 1 <= per_class <= few:
            raise ValueError(f"per_class must be from 1 to {few} here, got {per_class}")
        generator = torch.Generator().manual_seed(seed)
        chosen = []
        for label in range(len(split.class_names)):
            rows = torch.where(split.labels == label)[0]
            chosen.append(rows[torch.randperm(len(rows), generator=generator)[:per_class]])
        rows = torch.cat(chosen)
        self.images = split.images[rows]  # [n, 3, H, W]
        self.class_names = [split.class_names[label] for label in split.labels[rows].tolist()]


class SupportImages:
    """The N x K support images of one episode, whatever the split.

    Args:
        split: what the episode was drawn from.
        episodes: of which one is looked at.
        number: which.

    Raises:
        ValueError: a support image is among the episode's queries too.
    """

    declared = "support images of an episode"

    def __init__(self, split: Split, episodes: Episodes, number: int) -> None:
        rows = episodes.support[number].flatten()  # [N * K]
        if torch.isin(rows, episodes.query[number]).any():
            raise ValueError(f"episode {number} has an image in support and query alike")
        self.images = split.images[rows]
        self.class_names = [split.class_names[label] for label in split.labels[rows].tolist()]


class VisionLanguageModel(Protocol):
    """Answers a question about a picture; `source` is what the records call it."""

    source: str

    def key(self) -> dict[str, object]:
        """All that determines an answer, for the journal."""
        ...

    def answer(self, image: Tensor, question: str) -> str:
        """What it says about one image [3, H, W] uint8."""
        ...


class Observer:
    """Asks a vision-language model about each picture, and makes phrases of its answers.

    Args:
        model: who is asked.
        journal: the folder where answers are kept, so that nothing is asked twice.
    """

    def __init__(self, model: VisionLanguageModel, *, journal: str = "results/answers") -> None:
        self.model = model
        self.journal = Journal(journal)

    def observe(
        self, pictures: BaseImages | SupportImages, progress: Progress = silent
    ) -> list[Descriptor]:
        """Phrases about the classes of the pictures, each once a class.

        Raises:
            TypeError: pictures of another type: query images are none of its business.
            ValueError: no picture of a class gives a usable phrase; the message names it.
        """
        if not isinstance(pictures, BaseImages | SupportImages):
            raise TypeError(
                f"an Observer sees BaseImages or SupportImages, not {type(pictures).__name__}"
            )
        prompts = [_prompt(image) for image in pictures.images]
        names = dict(zip(prompts, pictures.class_names, strict=True))
        answers = asked(
            _Looking(self.model, dict(zip(prompts, pictures.images, strict=True))),
            prompts,
            self.journal,
            usable=lambda prompt, answer: bool(_judged(answer, names[prompt])),
            progress=progress,
            stage=f"{self.model.source} observes",
        )
        found: dict[tuple[str, str], Descriptor] = {}
        for prompt, name in zip(prompts, pictures.class_names, strict=True):
            for phrase, reason in _judged(answers[prompt], name):
                new = Descriptor(
                    class_name=name,
                    phrase=phrase,
                    written_by=f"{self.model.source}, {pictures.declared}",
                    prompt=prompt,
                    kept=not reason,
                    reason=reason or "not refined",
                )
                found.setdefault((name, phrase.casefold()), new)
        described = {descriptor.class_name for descriptor in found.values() if descriptor.kept}
        empty = [name for name in dict.fromkeys(pictures.class_names) if name not in described]
        if empty:
            raise ValueError(
                f"{self.model.source}: no picture of {', '.join(empty[:8])} gave a usable phrase; "
                "start again to ask about these alone"
            )
        return list(found.values())


class Observation:
    """An observer and base images as a describer: of the classes in the pictures alone.

    What a describer writes is the text of all episodes, and the support of one may be queries of
    another: support images go to `Observer.observe`, an episode at a time.

    Args:
        observer: who looks.
        pictures: at what.

    Raises:
        TypeError: pictures of another type.
    """

    def __init__(self, observer: Observer, pictures: BaseImages) -> None:
        if not isinstance(pictures, BaseImages):
            raise TypeError(
                f"an Observation is of BaseImages, not {type(pictures).__name__}: support images "
                "go to Observer.observe, an episode at a time"
            )
        self.observer = observer
        self.pictures = pictures
        self.source = f"{observer.model.source} on {pictures.declared}"

    def key(self) -> dict[str, object]:
        seen = sorted(_prompt(image) for image in self.pictures.images)
        digest = hashlib.sha256("\n".join(seen).encode()).hexdigest()[:20]
        return {"observer": self.observer.model.key(), "pictures": digest}

    def describe(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        observed = self.observer.observe(self.pictures, progress)
        return [descriptor for descriptor in observed if descriptor.class_name in class_names]


class _Looking:
    """The model with its pictures, behind the interface of those who answer prompts."""

    def __init__(self, model: VisionLanguageModel, pictures: Mapping[str, Tensor]) -> None:
        self.model = model
        self.pictures = pictures
        self.source = model.source

    def key(self) -> dict[str, object]:
        return self.model.key()

    def answers(self, prompts: Sequence[str]) -> Iterator[tuple[str, str]]:
        for prompt in prompts:
            yield prompt, self.model.answer(self.pictures[prompt], QUESTION)


def _prompt(image: Tensor) -> str:
    """The question, and which image it is about."""
    sha = hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()[:16]
    return f"{QUESTION} [image {sha}]"


def _judged(answer: str, class_name: str) -> list[tuple[str, str]]:
    """Phrases as `clean` judges them; none where it has no use for the answer."""
    try:
        return clean(answer, class_name)
    except ValueError:
        return []
