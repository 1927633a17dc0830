"""What people with their own things do: the blocks of docs/concepts.md, run in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import features_file, records
from common import NAMES, REPOSITORY
from PIL import Image
from torch.nn import functional as F

CONCEPTS = (REPOSITORY / "docs" / "concepts.md").read_text(encoding="utf-8")
FEW = [
    "--set", "Experiment.shots = [1]", "--set", "Experiment.queries = 5",
    "--set", "Experiment.episodes = 60", "--set", "Experiment.validation_episodes = 5",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the page, each under the name in its first line."""
    found = dict(re.findall(r"```(?:python)?\n# (\S+)\n(.*?)```", CONCEPTS, flags=re.S))
    assert len(found) == 6
    for name, text in found.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def call(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "SYNTRANS_DATA": str(folder)}
    environment.pop("SYNTRANS_CACHE", None)
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


def syntrans(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The installed command, by the module behind it."""
    return call("-m", "syntrans_l2l.cli", *words, folder=folder)


def by_name(folder: Path) -> dict[str, float]:
    return {each["method"]: each["accuracy"] for each in records(folder / "results")}


def test_an_own_row_by_the_command(folder: Path) -> None:
    """It is ProtoNet written anew."""
    features_file(folder)
    words = ["run", "--gin", "own_row.gin", "--set", "FEATURES = 'features.npz'", *FEW]
    assert "Nearest mean" in syntrans(*words, folder=folder).stdout
    found = by_name(folder)
    assert found["nearest_mean"] == found["protonet"] and len(found) == 2


def test_an_own_network_by_a_gin_file(folder: Path) -> None:
    """The accuracy is that of a plain loop over features that the network gives by itself."""
    generator = np.random.default_rng(0)
    splits = {"train": NAMES[:6], "val": NAMES[6:12], "test": NAMES[12:18]}
    for name in NAMES[:18]:
        (folder / "pictures" / name).mkdir(parents=True)
        colour = generator.integers(60, 200, size=3)
        for number in range(12):
            pixels = (colour + generator.normal(0, 60, size=(16, 16, 3))).clip(0, 255)
            file = folder / "pictures" / name / f"{number:02d}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    (folder / "pictures" / "splits.json").write_text(str(splits).replace("'", '"'))
    script = (
        "import torch, my_net; torch.manual_seed(0); net = my_net.MyNet();"
        "torch.save({'params': {f'encoder.{n}': w for n, w in net.state_dict().items()}},"
        " 'my_net.pth')"
    )
    call("-c", script, folder=folder)
    size = ["--set", "ImageFolderBenchmark.size = 16"]
    syntrans("run", "--gin", "own_network.gin", *size, *FEW, folder=folder)
    [record] = records(folder / "results")
    assert record["student"].startswith("MyNet, weights my_net.pth ")
    oracle = (
        "import torch, my_net; from syntrans_l2l import ImageFolderBenchmark;"
        "from syntrans_l2l.cache import Cache; from pathlib import Path;"
        "from syntrans_l2l.episodes.episodes import sample_episodes;"
        "from syntrans_l2l.episodes.size import EpisodeSize;"
        "d = ImageFolderBenchmark(root=Path('pictures').absolute(), size=16)"
        ".load(Path('.'), Cache(Path('other'))).test;"
        "e = sample_episodes(d, EpisodeSize(queries=5, episodes=60), seed=0);"
        "torch.manual_seed(0); f = my_net.MyNet()(d.images / 255).detach().mean((2, 3));"
        "near = torch.cdist(f[e.query].flatten(1, 2), f[e.support][:, :, 0]).argmin(-1);"
        "print((near == e.query_labels()).double().mean().item() * 100)"
    )
    by_hand = float(call("-c", oracle, folder=folder).stdout)
    assert record["accuracy"] == pytest.approx(by_hand, abs=0.3)  # a tie may fall either way


def test_syntrans_on_arrays(folder: Path) -> None:
    """Text explains the features, so that SynTrans finds classes that one noisy shot hides."""
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(37, 6, generator=generator)
    centres = F.normalize(text, dim=-1) @ torch.randn(6, 24, generator=generator)
    parts = {"base": range(24), "validation": range(24, 32), "novel": range(32, 37)}

    def images(part: str, each: int) -> torch.Tensor:
        rows = centres[list(parts[part])].repeat_interleave(each, 0)
        return rows + 2.0 * torch.randn(rows.shape, generator=generator)

    query = images("novel", 40)
    arrays: dict[str, Any] = {"support": images("novel", 1), "query": query}
    for part, classes in parts.items():
        arrays[f"{part}_text"] = text[list(classes)]
        arrays[part], arrays[f"{part}_labels"] = (
            images(part, 30),
            np.repeat(range(len(classes)), 30),
        )
    np.savez(folder / "arrays.npz", **arrays)
    script = folder / "on_arrays.py"
    script.write_text(script.read_text() + "np.save('logits.npy', logits.detach())\n")
    call("on_arrays.py", folder=folder)
    said = np.load(folder / "logits.npy").argmax(1)
    support = torch.from_numpy(np.load(folder / "arrays.npz")["support"])
    nearest = (F.normalize(query, dim=-1) @ F.normalize(support, dim=-1).T).argmax(1).numpy()
    truth = np.repeat(np.arange(5), 40)
    assert (said == truth).mean() > (nearest == truth).mean() + 0.05


def test_easyfsls_protonet_is_ours(folder: Path) -> None:
    features_file(folder)
    script = folder / "theirs.py"
    script.write_text(
        script.read_text() + "print(*(f'ACCURACY {each.accuracy!r}' for each in results.records))\n"
    )
    printed = call("theirs.py", folder=folder).stdout
    theirs, ours = re.findall(r"ACCURACY (\S+)", printed)
    assert theirs == ours and "Prototypical networks" in printed
