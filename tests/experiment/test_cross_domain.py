"""Trained on one data set, tested on another; and which classes the two share."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from common import NAMES, SPLITS, write_archive
from PIL import Image
from prepared import write_pictures

from syntrans_l2l import FeatureBenchmark, ImageFolderBenchmark, evaluate
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import Benchmark
from syntrans_l2l.datasets.cifar_fs import CifarFs
from syntrans_l2l.datasets.features import feature_data
from syntrans_l2l.datasets.in_memory import FeaturesInMemory, InMemory
from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.experiment.cross_domain import CrossDomain
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.exported import exported_episodes
from syntrans_l2l.experiment.overlap import NamedClass, shared_classes
from syntrans_l2l.methods.maml import Maml
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.reporting.collection import boards
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.reporting.tables import leaderboard
from syntrans_l2l.training.base import BaseTraining

SMALL: dict[str, Any] = {
    "ways": 3, "shots": [1], "queries": 3, "episodes": 40, "validation_episodes": 10,
    "methods": [ProtoNet("cosine")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "tested", "same"),
    [
        (("leopard",), ("Leopards",), True),
        (("maple_tree",), ("Maple-Tree",), True),
        (("012.Indigo_Bunting",), ("indigo bunting",), True),
        (("lion",), ("n02129165",), True),
        (("king of beasts",), ("n02129165",), True),
        (("lion", "n02129165"), ("big cat", "n02129165"), True),
        (("crane", "n02012849"), ("crane", "n03126707"), False),  # a bird, a machine
        (("crane", "n02012849"), ("crane",), True),
        (("n00000000",), ("lion",), False),  # none of ImageNet's
        (("glass",), ("glasses",), True),
        (("bus",), ("buses",), True),
        (("butterfly",), ("Butterflies",), True),
        (("wolf",), ("wolves",), True),
        (("knife",), ("knives",), True),
        (("mouse",), ("mice",), False),  # the docstring says so
        (("bus",), ("bu",), False),
        (("beaver",), ("beaver lodge",), False),
    ],
)
def test_one_class_under_two_names(
    seen: tuple[str, ...], tested: tuple[str, ...], same: bool
) -> None:
    """By name, and by WordNet id where both have one; the key is the name unless it is given."""
    first, second = (NamedClass(each[0], each[-1]) for each in (seen, tested))
    other = NamedClass("tiger", "tiger")
    assert shared_classes([other, first], [second]) == ([second.name] if same else [])
    assert shared_classes([second], [first, other]) == ([first.name] if same else [])


def features(path: Path, names: list[str], split: list[str], width: int = 8) -> FeatureBenchmark:
    """Drawn features, other ones for each file; 8 of a class."""
    chance = np.random.default_rng(sum(path.stem.encode()))
    centres = chance.normal(size=(len(names), width))
    labels = chance.permutation(np.arange(len(names)).repeat(8))
    np.savez(path, features=centres[labels] + chance.normal(size=(len(labels), width)),
             labels=labels, class_names=names, split=split)  # fmt: skip
    return FeatureBenchmark(path)


@pytest.fixture
def two(tmp_path: Path) -> dict[str, Any]:
    """One of the five test classes is a train class of the source, one a validation class."""
    split = ["train"] * 4 + ["val"] * 3 + ["test"] * 3
    source = features(tmp_path / "a.npz", [*"bcdefghijk"], split)
    target = features(
        tmp_path / "z.npz", ["B", "u", "h", "v", "w", "x", "y"], ["test"] * 5 + ["val", "train"]
    )
    return {"dataset": source, "test_dataset": target}


def run(folder: Path, **settings: Any) -> tuple[Record, RecordStore]:
    store = RecordStore(folder / "out")
    experiment = Experiment(**{**SMALL, **settings})
    experiment.check(folder)
    [record] = experiment.run(root=folder, cache=Cache(folder / "cache"), store=store)
    return record, store


def test_shared_classes_are_refused_by_name(tmp_path: Path, two: dict[str, Any]) -> None:
    message = (
        "^2 of the 5 test classes of z are also train or validation classes of a: B, h; set "
        "Experiment.shared_classes = 'drop' to leave them out, or 'keep'$"
    )
    with pytest.raises(ValueError, match=message):
        Experiment(**SMALL, **two).check(tmp_path)
    with pytest.raises(ValueError, match=message):
        CrossDomain(two["dataset"], two["test_dataset"]).load(tmp_path, Cache(tmp_path / "cache"))
    with pytest.raises(ValueError, match="shared_classes must be 'refuse' or 'drop' or 'keep'"):
        Experiment(**SMALL, **{**two, "shared_classes": "yes"})


def test_dropped_classes_leave_what_one_joined_file_has(
    tmp_path: Path, two: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The oracle is a file of features that is joined by hand."""
    record, store = run(tmp_path, **two, shared_classes="drop")
    assert caplog.messages == ["a to z: left out, because both have them: B, h"]
    assert record.dataset == "a to z, 2 shared classes left out"
    assert record.shared_classes == []
    whole = {name: np.load(tmp_path / f"{name}.npz") for name in ("a", "z")}
    names = [*"bcdefgh", "u", "v", "w"]
    rows, labels = [], []
    for file, kept in (("a", names[:7]), ("z", names[7:])):
        known = whole[file]["class_names"].tolist()
        for row, label in zip(whole[file]["features"], whole[file]["labels"], strict=True):
            if known[label] in kept:
                rows.append(row)
                labels.append(names.index(known[label]))
    np.savez(tmp_path / "joined.npz", features=rows, labels=labels, class_names=names,
             split=["train"] * 4 + ["val"] * 3 + ["test"] * 3)  # fmt: skip
    by_hand, _ = run(tmp_path, dataset=FeatureBenchmark(tmp_path / "joined.npz"))
    assert store.accuracies(record).equal(store.accuracies(by_hand))
    assert record.data_fingerprint != by_hand.data_fingerprint


def test_kept_classes_are_told_in_the_record_and_below_the_table(
    tmp_path: Path, two: dict[str, Any]
) -> None:
    record, store = run(tmp_path, **two, shared_classes="keep")
    assert (record.dataset, record.shared_classes) == ("a to z", ["B", "h"])
    told = "2 test classes of a to z are also train or validation classes: B, h."
    assert told in leaderboard(boards([record])[0], store.accuracies).caption
    alone, store = run(tmp_path, dataset=two["dataset"])
    assert alone.shared_classes == []
    assert "also train" not in leaderboard(boards([alone])[0], store.accuracies).caption


def test_the_fingerprint_covers_both(tmp_path: Path, two: dict[str, Any]) -> None:
    cache = Cache(tmp_path / "cache")

    def fingerprint(source: Benchmark, target: Benchmark, shared: Any = "keep") -> str:
        return CrossDomain(source, target, shared).load(tmp_path, cache).fingerprint

    source, target = two["dataset"], two["test_dataset"]
    kinds = [(source, target), (source, source), (target, source), (source, target, "drop")]
    assert len({fingerprint(*kind) for kind in kinds}) == 4
    assert fingerprint(source, target) == fingerprint(source, target)


def test_features_of_two_widths_are_refused(tmp_path: Path) -> None:
    split = ["train", "train", "val", "val", "val", "test", "test", "test"]
    source = features(tmp_path / "a.npz", [*"abcdefgh"], split)
    target = features(tmp_path / "z.npz", [*"stuvwxyz"], split, width=9)
    with pytest.raises(ValueError, match="a to z have the widths 8 and 9: make both with one"):
        run(tmp_path, dataset=source, test_dataset=target)


def test_the_teachers_features_of_the_test_images_are_the_targets(
    tmp_path: Path, two: dict[str, Any]
) -> None:
    """Another teacher's lie in another space: none are left then."""

    def brought(name: str, teacher: str) -> FeaturesInMemory:
        data = np.load(tmp_path / f"{name}.npz")
        rows = np.random.default_rng(0).normal(size=(len(data["labels"]), 3))
        given = (data["features"], data["labels"], data["class_names"].tolist(), data["split"])
        return FeaturesInMemory(
            feature_data(*given, teacher_features=rows, teacher=teacher, name=name)
        )

    source, target = brought("a", "CLIP"), brought("z", "CLIP")
    ours, theirs = source.data.teacher_features, target.data.teacher_features
    assert ours is not None and theirs is not None
    kept = torch.isin(target.data.test.labels, torch.tensor([1, 3, 4]))  # of B, u, h, v, w
    for other, expected in (
        (target, theirs["test"][kept]),
        (brought("z", "another"), torch.full((24, 3), torch.nan)),
    ):
        joined: Any = CrossDomain(source, other, "drop").load(tmp_path, Cache(tmp_path))
        assert joined.test.class_names == ("u", "v", "w")
        assert joined.teacher_features["train"].equal(ours["train"])
        torch.testing.assert_close(
            joined.teacher_features["test"], expected, rtol=0, atol=0, equal_nan=True
        )


def test_evaluate_takes_a_path_and_exported_rows_are_the_files(
    tmp_path: Path, two: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTRANS_DATA", str(tmp_path))
    settings = {key: value for key, value in SMALL.items() if key != "methods"}
    results = evaluate(
        [ProtoNet("cosine")], tmp_path / "a.npz", test_dataset=tmp_path / "z.npz",
        shared_classes="drop", progress=False, **settings,
    )  # fmt: skip
    assert results.test.class_names == ("u", "v", "w")
    assert "a to z, 2 shared classes left out" in results.markdown()
    experiment = Experiment(**SMALL, **two, shared_classes="drop")
    [file] = exported_episodes(experiment, root=tmp_path, cache=Cache(tmp_path / "cache"))
    labels, names = (np.load(tmp_path / "z.npz")[key] for key in ("labels", "class_names"))
    drawn = torch.tensor(file.images)[file.episodes.support[:, :, 0]]
    assert [file.class_names[label] for label in file.episodes.class_ids.flatten()] == [
        names[labels[row]] for row in drawn.flatten()
    ]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CIFAR-FS archive, and a folder of other classes."""
    root = tmp_path_factory.mktemp("pictures")
    write_archive(root, SPLITS, 20)
    write_pictures(root / "birds", np.random.default_rng(0))
    return root


def test_one_wordnet_id_under_two_names_is_refused(tmp_path: Path) -> None:
    """Folders are ids, names are free: the ids decide, before anything is trained."""

    def folder(name: str, of: dict[str, str], split: list[str]) -> ImageFolderBenchmark:
        for wnid in of:
            (tmp_path / name / wnid).mkdir(parents=True)
            for number in range(4):
                picture = Image.fromarray(np.full((8, 8, 3), number, np.uint8))
                picture.save(tmp_path / name / wnid / f"{number}.png")
        (tmp_path / name / "class_names.json").write_text(json.dumps(of))
        splits: dict[str, list[str]] = {part: [] for part in ("train", "val", "test")}
        for wnid, part in zip(of, split, strict=True):
            splits[part].append(wnid)
        (tmp_path / name / "splits.json").write_text(json.dumps(splits))
        return ImageFolderBenchmark(root=name, size=8)

    others = {f"n0000000{number}": f"class {number}" for number in range(8)}
    seen = {"n02129165": "lion", "n02012849": "crane", **others}
    tested = {"n02129165": "big cat", "n03126707": "crane", "n10000000": "a", "n10000001": "b"}
    source = folder("seen", seen, ["train"] * 4 + ["val"] * 3 + ["test"] * 3)
    target = folder("tested", {**tested, "n10000002": "c", "n10000003": "d"},
                    ["test"] * 4 + ["train", "val"])  # fmt: skip
    with pytest.raises(ValueError, match=r"^1 of the 4 test classes .*: big cat; set"):
        images(tmp_path, dataset=source, test_dataset=target).check(tmp_path)


def images(root: Path, size: int = 32, **changes: Any) -> Experiment:
    return Experiment(**{
        **SMALL,
        "dataset": CifarFs(),
        "test_dataset": ImageFolderBenchmark(root="birds", size=size),
        "student": lambda: resnet12(width=4),
        "base_training": BaseTraining(epochs=1, batch_size=32, precision="float32"),
        **changes,
    })  # fmt: skip


def test_the_student_is_the_sources_and_is_not_trained_again(
    pictures: Path, tmp_path: Path
) -> None:
    """Whoever ran on the source finds its student; the test features are that student's."""
    cache = Cache(tmp_path / "cache")
    alone = images(pictures, test_dataset=None).prepare(
        root=pictures, cache=cache, device=torch.device("cpu")
    )
    student = alone.student("base")
    assert student is not None
    [trained] = (cache.root / "students").glob("*.safetensors")
    written = trained.stat().st_mtime_ns
    for size in (32, 24):  # pooled features do not ask for one size
        both = images(pictures, size).prepare(
            root=pictures, cache=cache, device=torch.device("cpu")
        )
        seen = both.encoded("base").features
        assert [*(cache.root / "students").glob("*.safetensors")] == [trained]
        assert trained.stat().st_mtime_ns == written
        assert seen["train"].equal(alone.encoded("base").features["train"])
        birds = ImageFolderBenchmark(root="birds", size=size).load(pictures, cache).test
        assert both.work.data.test.class_names == birds.class_names
        with torch.no_grad():
            torch.testing.assert_close(
                seen["test"], student(birds.images), rtol=1e-4, atol=1e-4, check_dtype=False
            )


@pytest.mark.parametrize(
    ("size", "changes", "message"),
    [
        (8, {}, "does not take pictures of 8 px: .*; set ImageFolderBenchmark.size = 32$"),
        (24, {"methods": [Maml()], "reference": "maml"},
         "^maml is trained on pictures of 32 px and birds has 24 px: set ImageFolderBenchmark"),
    ],
)  # fmt: skip
def test_pictures_that_do_not_fit_are_refused_with_the_size_to_set(
    pictures: Path, size: int, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        images(pictures, size, **changes).check(pictures)


def test_images_and_features_are_refused(pictures: Path, tmp_path: Path) -> None:
    split = ["train", "train", "val", "val", "val", "test", "test", "test"]
    target = features(tmp_path / "z.npz", [*"stuvwxyz"], split)
    with pytest.raises(ValueError, match="cifar_fs to z: one data set holds features, the other"):
        images(pictures, test_dataset=target).check(pictures)


def test_class_vectors_are_of_both_data_sets(pictures: Path, tmp_path: Path) -> None:
    """A name that both have is encoded once."""
    cache = Cache(tmp_path / "cache")
    source = CifarFs().load(pictures, cache)
    both = images(pictures, test_dataset=InMemory(source), shared_classes="keep").prepare(
        root=pictures, cache=cache, device=torch.device("cpu")
    )

    class Lengths:
        source = "lengths"

        def key(self) -> dict[str, object]:
            return {"source": self.source}

        def encode_classes(self, class_names: tuple[str, ...]) -> Any:
            asked.extend(class_names)
            from syntrans_l2l.semantics.bank import SemanticBank

            return SemanticBank(class_names, torch.ones(len(class_names), 2), self.source)

    asked: list[str] = []
    encoder: Any = Lengths()
    assert both.semantics(encoder).select(source.test.class_names).shape == (6, 2)
    assert asked == NAMES[:24]
