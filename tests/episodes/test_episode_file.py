"""Exported episodes: what their files say, and which images they name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from common import random_split

from syntrans_l2l.episodes.episode_file import EpisodeFile, read_episodes
from syntrans_l2l.episodes.episodes import sample_episodes
from syntrans_l2l.episodes.size import EpisodeSize


def made() -> EpisodeFile:
    split = random_split(6, 8, "novel")
    episodes = sample_episodes(split, EpisodeSize(ways=3, shots=2, queries=4, episodes=5), seed=0)
    return EpisodeFile(
        dataset="größe", data_fingerprint="f00", seed=0, class_names=split.class_names,
        images=tuple(f"images/{row}.png" for row in range(48)), images_are="files",
        episodes=episodes,
    )  # fmt: skip


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_both_forms_give_everything_back(tmp_path: Path, suffix: str) -> None:
    file = made()
    file.write(tmp_path / f"episodes{suffix}")
    back = read_episodes(tmp_path / f"episodes{suffix}")
    for name in ("dataset", "data_fingerprint", "seed", "class_names", "images", "images_are"):
        assert getattr(back, name) == getattr(file, name)
    for name in ("class_ids", "support", "query"):
        assert torch.equal(getattr(back.episodes, name), getattr(file.episodes, name))


def test_both_forms_say_the_same_under_the_same_names(tmp_path: Path) -> None:
    for suffix in (".json", ".npz"):
        made().write(tmp_path / f"episodes{suffix}")
    content = json.loads((tmp_path / "episodes.json").read_text(encoding="utf-8"))
    with np.load(tmp_path / "episodes.npz", allow_pickle=False) as file:
        assert {name: file[name].tolist() for name in file.files} == content
    assert (content["ways"], content["shots"], content["queries"]) == (3, 2, 4)
    assert content["labels"] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "its format is 'other'"),
        ({"support": [[[0]]]}, "class_ids [E, N], support [E, N, K] and query [E, N, Q] are"),
        ({"class_names": ["a"]}, "class_ids must lie in 0 to 0"),
        ({"images": ["a"]}, "support must lie in 0 to 0"),
        ({"seed": "x"}, "invalid literal"),
    ],
)
def test_damaged_files_are_one_line(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    made().write(tmp_path / "episodes.json")
    content = json.loads((tmp_path / "episodes.json").read_text(encoding="utf-8"))
    (tmp_path / "episodes.json").write_text(json.dumps({**content, **change}), encoding="utf-8")
    with pytest.raises(ValueError) as error:
        read_episodes(tmp_path / "episodes.json")
    assert message in str(error.value) and "export-episodes writes such" in str(error.value)
    assert "\n" not in str(error.value)
