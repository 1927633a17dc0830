"""Phrases that an experiment has mined stay beside its records."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import Workspace
from syntrans_l2l.experiment.preparation import Preparation
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.reporting.records import RecordStore
from syntrans_l2l.semantics.bank_file import BankFile, MinedBank, read_bank, write_bank
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.synmine import SynMine
from syntrans_l2l.training.job import Job


class Tower:
    """Draws a vector a text."""

    source = digest = "tower"

    def text_features(self, texts: Sequence[str]) -> Tensor:
        return torch.randn(len(texts), 4, generator=torch.Generator().manual_seed(len(texts)))


class Describer:
    """Says one thing of each class, and counts how often it is asked."""

    source = "one phrase"

    def __init__(self) -> None:
        self.asked = 0

    def key(self) -> dict[str, object]:
        return {"describer": self.source}

    def describe(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        self.asked += 1
        return [
            Descriptor(class_name=name, phrase=f"a {name} tail", written_by="x", prompt="?")
            for name in class_names
        ]


def preparation(data: FewShotData, folder: Path) -> Preparation:
    work = Workspace(data=replace(data, name="../a/b"), cache=Cache(folder), job=Job())
    return Preparation(work, {})


def test_the_bank_of_a_record_is_beside_it(
    data: FewShotData, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    describer = Describer()
    miner = SynMine(Tower(), describer)
    first = preparation(data, tmp_path / "cache")
    vectors = first.semantics(miner)
    store = RecordStore(tmp_path / "out")
    for bank in first.mined.values():
        store.keep_bank(bank)
    [path] = (tmp_path / "out" / "banks").glob("*.json")
    assert path.stem == vectors.digest  # what a record calls descriptor_hash
    kept = read_bank(path)
    assert kept.of_class(data.class_names[0])[0].phrase == f"a {data.class_names[0]} tail"
    assert kept.dataset == "../a/b"

    again = preparation(data, tmp_path / "cache").semantics(miner)
    assert again.vectors.equal(vectors.vectors) and describer.asked == 1
    for file in (tmp_path / "cache" / "banks").glob("*.json"):
        file.write_text("{")
    mended = preparation(data, tmp_path / "cache").semantics(miner)
    assert mended.digest == vectors.digest and describer.asked == 2
    assert "damaged bank" in caplog.text


def test_the_bank_of_a_file_is_beside_its_records_too(data: FewShotData, tmp_path: Path) -> None:
    """Of the classes of the data only, and in their order."""
    names = [*reversed(data.class_names), "another class"]
    describer = Describer()
    miner = SynMine(Tower(), describer)
    descriptors = miner.mine(names)
    bank = MinedBank(vectors=miner.encode(names, descriptors), descriptors=descriptors,
                     dataset="more", observed="none", made_by={})  # fmt: skip
    write_bank(bank, tmp_path / "bank.json")
    prepared = preparation(data, tmp_path / "cache")
    vectors = prepared.semantics(BankFile(tmp_path / "bank.json"))
    assert vectors.class_names == data.class_names
    assert vectors.vectors.equal(bank.vectors.select(data.class_names))
    store = RecordStore(tmp_path / "out")
    for each in prepared.mined.values():
        store.keep_bank(each)
    kept = read_bank(tmp_path / "out" / "banks" / f"{vectors.digest}.json")
    assert [each.class_name for each in kept.descriptors] == list(data.class_names)
    assert kept.vectors.class_names == data.class_names
