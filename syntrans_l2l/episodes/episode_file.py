"""Test episodes as a file, for code that knows nothing of this package."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from syntrans_l2l.array_file import as_labels
from syntrans_l2l.atomic import atomic
from syntrans_l2l.episodes.episodes import Episodes

FORMAT = "syntrans_l2l episodes 1"
_NUMBERS = ("class_ids", "support", "query")
_FORM = "syntrans export-episodes writes such files, .json or .npz"


@dataclass(frozen=True, kw_only=True)
class EpisodeFile:
    """Episodes and what they are made of.

    Args:
        dataset: its name.
        data_fingerprint: of its images, labels and names.
        seed: of the episodes.
        class_names: of the test classes, [C].
        images: of every test image, [n], its file or its row.
        images_are: what `images` lists, in words.
        episodes: class_ids [E, N] are places in `class_names`; support [E, N, K] and query
            [E, N, Q] places in `images`.
    """

    dataset: str
    data_fingerprint: str
    seed: int
    class_names: tuple[str, ...]
    images: tuple[str | int, ...]
    images_are: str
    episodes: Episodes

    def __post_init__(self) -> None:
        _check(self)

    def write(self, path: Path) -> None:
        """As .json or .npz, by the suffix; both hold the same under the same names."""
        header = self._header()
        numbers = {name: getattr(self.episodes, name).numpy() for name in _NUMBERS}
        with atomic(path) as partial:
            if path.suffix == ".json":
                lists = {name: values.tolist() for name, values in numbers.items()}
                text = json.dumps({**header, **lists}, ensure_ascii=False)
                partial.write_text(text + "\n", encoding="utf-8")
            else:
                with partial.open("wb") as file:
                    np.savez_compressed(file, **header, **numbers)

    def _header(self) -> dict[str, Any]:
        episodes = self.episodes
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "data_fingerprint": self.data_fingerprint,
            "ways": episodes.ways,
            "shots": episodes.shots,
            "queries": episodes.queries,
            "episodes": len(episodes),
            "seed": self.seed,
            "class_names": list(self.class_names),
            "images_are": self.images_are,
            "images": list(self.images),
            "labels": episodes.query_labels().tolist(),
        }


def read_episodes(path: Path) -> EpisodeFile:
    """The episodes that `EpisodeFile.write` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not of this form.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no episodes at {path}; {_FORM}")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name].tolist() for name in file.files}
        else:
            content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT!r}")
        numbers = {name: torch.tensor(content[name]) for name in _NUMBERS}
        return EpisodeFile(
            dataset=str(content["dataset"]),
            data_fingerprint=str(content["data_fingerprint"]),
            seed=int(content["seed"]),
            class_names=tuple(map(str, content["class_names"])),
            images=tuple(content["images"]),
            images_are=str(content["images_are"]),
            episodes=Episodes(
                **{
                    name: as_labels(values.flatten(), name).view(values.shape)
                    for name, values in numbers.items()
                }
            ),
        )
    except Exception as error:  # a damaged file leads its readers to errors of any type
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read ({reason}); {_FORM}") from error


def _check(file: EpisodeFile) -> None:
    """Raise ValueError where shapes or numbers do not fit each other."""
    episodes = file.episodes
    shapes = [list(getattr(episodes, name).shape) for name in _NUMBERS]
    if list(map(len, shapes)) != [2, 3, 3] or any(shape[:2] != shapes[0] for shape in shapes):
        raise ValueError(f"class_ids [E, N], support [E, N, K] and query [E, N, Q] are {shapes}")
    for name, bound in zip(
        _NUMBERS, (len(file.class_names), len(file.images), len(file.images)), strict=True
    ):
        values = getattr(episodes, name)
        if values.numel() == 0 or not 0 <= int(values.min()) <= int(values.max()) < bound:
            raise ValueError(f"{name} must lie in 0 to {bound - 1}")
