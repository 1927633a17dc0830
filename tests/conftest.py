"""Fixtures: a miniature CIFAR-FS archive in the true layout, random data and an arena in memory."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from syntrans_l2l.cli.threads import give_way

give_way()  # before torch is imported, here and in the processes that tests start

import torch
from command_line import SMALL, run, vectors_file
from common import SEMANTIC, SPLITS, VISUAL, MakeArchive, random_split, write_archive
from torch.nn import functional as F

import gin
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.semantics.bank import SemanticBank


@pytest.fixture(autouse=True)
def _clean_gin() -> Iterator[None]:
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture
def make_archive(tmp_path: Path) -> MakeArchive:
    """Write an archive below `tmp_path` as unzipping cifar100.zip would."""

    def make(splits: Mapping[str, Sequence[str]] = SPLITS, images: int = 20) -> Path:
        return write_archive(tmp_path, splits, images)

    return make


@pytest.fixture(scope="session")
def data() -> FewShotData:
    """12 / 6 / 6 classes of 24 random images."""
    return FewShotData(
        name="random",
        train=random_split(12, 24, "base", 0),
        validation=random_split(6, 24, "validation", 1),
        test=random_split(6, 24, "novel", 2),
        fingerprint="random",
    )


@pytest.fixture
def arena(data: FewShotData, tmp_path: Path) -> Arena:
    """Features that a linear map of the class vectors explains, but noisily."""
    generator = torch.Generator().manual_seed(0)
    names = data.class_names
    vectors = torch.randn(len(names), SEMANTIC, generator=generator)
    centres = F.normalize(vectors, dim=-1) @ torch.randn(SEMANTIC, VISUAL, generator=generator)
    features, first = {}, 0
    for split in ("train", "validation", "test"):
        labels = getattr(data, split).labels
        noise = 2.5 * torch.randn(len(labels), VISUAL, generator=generator)
        features[split] = centres[labels + first] + noise
        first += len(getattr(data, split).class_names)
    return Arena(
        data=data, features=features, student="s", student_name="random",
        semantics=SemanticBank(names, vectors, "random"), cache=Cache(tmp_path),
        device=torch.device("cpu"), seed=0,
    )  # fmt: skip


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, tuple[str, ...], str]:
    """A whole run: root, output folder, its bindings and what it printed."""
    root = write_archive(tmp_path_factory.mktemp("data"), SPLITS, 20)
    # hard: the selected alpha is one of the figure's
    bindings = (vectors_file(root), *SMALL, "SynTransSettings.selection = 'hard'")
    first = run(root, root / "out", *bindings)
    assert first.returncode == 0, first.stderr
    return root, root / "out", bindings, first.stdout
