"""Stage 1 in an experiment: a frozen student beside its projection, and features people bring."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from common import NAMES, SPLITS, MakeArchive, random_split
from safetensors.torch import save_file
from torch.nn import functional as F

from syntrans_l2l.cache import Cache
from syntrans_l2l.cli.export_features import main as export
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.datasets.cifar_fs import CifarFs
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.datasets.features import FeatureData, feature_data
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.encoders.base import Workspace
from syntrans_l2l.encoders.brought import TeacherFeatures
from syntrans_l2l.encoders.clip import ClipEncoder
from syntrans_l2l.encoders.distilled import ProjectedEncoder, Stage1
from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.encoders.given import GivenFeatures
from syntrans_l2l.encoders.students import BaseStudent
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.preparation import Preparation
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.ktn import Ktn
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.methods.simpleshot import SimpleShot
from syntrans_l2l.methods.syntrans import SynTransRow, Variant
from syntrans_l2l.methods.tip_adapter import TipAdapter
from syntrans_l2l.methods.zero_shot import ZeroShot
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.semantics.text_encoder import VectorFile
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.distillation import Distillation
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.meta import MetaTraining
from syntrans_l2l.training.projection import ProjectionTraining

D, A, IMAGES = 12, 6, 20
OF = ["train"] * 8 + ["val"] * 6 + ["test"] * 6
CLASSES = [f"class {number}" for number in range(len(OF))]
GENERATOR = torch.Generator().manual_seed(0)
VECTORS = F.normalize(torch.randn(len(OF), A, generator=GENERATOR), dim=-1)
LABELS = torch.arange(len(OF)).repeat_interleave(IMAGES)
TEACHER = VECTORS[LABELS] + 0.4 * torch.randn(len(LABELS), A, generator=GENERATOR)
FEATURES = TEACHER @ torch.randn(A, D, generator=GENERATOR)
FEATURES = FEATURES + 0.5 * torch.randn(len(LABELS), D, generator=GENERATOR)
VARIANTS: tuple[Variant, ...] = ("full", "shuffled", "visual")
SHORT = Distillation(projection=ProjectionTraining(epochs=60, learning_rate=1e-2))


def work(data: FewShotData, folder: Path) -> Workspace:
    return Workspace(data=data, cache=Cache(folder), job=Job(seed=0))


def brought(**changes: Any) -> FeatureData:
    given: dict[str, Any] = {"teacher_features": TEACHER, "teacher": "CLIP"}
    return feature_data(FEATURES, LABELS, CLASSES, OF, **{**given, **changes})


def write(folder: Path, name: str, **changes: Any) -> Path:
    content: dict[str, Any] = {
        "features": FEATURES.numpy(),
        "labels": LABELS.numpy(),
        "class_names": CLASSES,
        "split": OF,
        "teacher_features": TEACHER.numpy(),
        "teacher": "CLIP",
    }
    np.savez(folder / name, **{**content, **changes})
    return folder / name


def vectors(folder: Path, first: int = 0, teacher: str = "") -> VectorFile:
    """A file of the vectors of the classes from `first` on."""
    path = folder / f"text_{first}{teacher}.npz"
    np.savez(path, class_names=CLASSES[first:], vectors=VECTORS[first:].numpy(), teacher=teacher)
    return VectorFile(path)


def experiment(folder: Path, **changes: Any) -> Experiment:
    parts: dict[str, Any] = {
        "dataset": FeatureBenchmark(write(folder, "brought.npz")),
        "methods": [
            ProtoNet("cosine"),
            Row(method=ZeroShot(), encoder="distilled"),
        ],
        "text_encoder": vectors(folder),
        "teacher_text": vectors(folder, first=8),
        "distillation": SHORT,
        "shots": [1],
        "queries": 5,
        "episodes": 200,
        "validation_episodes": 50,
    }
    return Experiment(**{**parts, **changes})


def run(made: Experiment, folder: Path, out: str = "out") -> dict[str, Record]:
    made.check(folder)
    records = made.run(root=folder, cache=Cache(folder / "cache"), versions={"code": "x"},
                       store=RecordStore(folder / out))  # fmt: skip
    return {record.method: record for record in records}


def test_a_features_file_goes_through_stage_1(tmp_path: Path) -> None:
    """No CLIP is at hand: its features of base images, and its text of novel classes, are."""
    some = TEACHER.clone()
    some[LABELS >= 8] = torch.nan  # no validation and no novel image has any
    some[:10] = torch.nan
    path = write(tmp_path, "some.npz", teacher_features=some.numpy())
    rows: list[Any] = [
        ProtoNet("cosine"),
        Row(method=ZeroShot(), encoder="distilled"),
        Row(method=TipAdapter(), encoder="distilled"),
    ]
    records = run(experiment(tmp_path, dataset=FeatureBenchmark(path), methods=rows), tmp_path)
    assert records["tip_adapter"].accuracy > records["protonet_cosine"].accuracy + 1
    told = records["zero_shot"]
    assert told.accuracy > 60  # of 5 classes, without any support image
    assert told.uses_teacher_images and not records["protonet_cosine"].uses_teacher_images
    assert told.settings["teacher.model"] == "CLIP"
    assert told.settings["teacher.images"] == (
        "150 of 160 base images, no validation or novel image"
    )
    assert told.student == "some.npz, frozen, distilled"


def test_syntrans_meets_the_teachers_text(tmp_path: Path) -> None:
    """The vectors of the bridge know nothing, those of the teacher do; shuffled, they do not."""
    np.savez(
        tmp_path / "noise.npz",
        class_names=CLASSES,
        vectors=np.random.default_rng(0).normal(size=(len(OF), 4)),
    )
    rows = [
        Row(method=SynTransRow(variant, short()), encoder="distilled", name=variant)
        for variant in VARIANTS
    ]
    made = experiment(tmp_path, methods=[ProtoNet("cosine"), *rows],
                      text_encoder=VectorFile(tmp_path / "noise.npz"))  # fmt: skip
    records = run(made, tmp_path)
    assert records["full"].accuracy > records["visual"].accuracy + 3
    assert records["shuffled"].accuracy < records["full"].accuracy - 3
    hashes = {records[name].identity["semantics"] for name in ("full", "visual")}
    assert len(hashes) == 2


def test_only_what_answers_through_the_projection_saw_teacher_images(tmp_path: Path) -> None:
    """Red before: every row on a frozen, distilled encoder said yes."""

    class Foreign(ProtoNet):
        uses_text = True

    bridge = replace(short(), aligned_weights=(0.0,))
    rows = {
        "simple": SimpleShot(),
        "ktn": Ktn(),
        "visual": SynTransRow("visual", short()),
        "bridge": SynTransRow(parts=bridge),
        "full": SynTransRow(parts=short()),
        "zero_shot": ZeroShot(),
        "of somebody else": Foreign("cosine"),
    }
    made = experiment(tmp_path, methods=[
        ProtoNet("cosine"), *(Row(method=m, encoder="distilled", name=n) for n, m in rows.items())
    ])  # fmt: skip
    records = run(made, tmp_path)
    saw = {name for name, record in records.items() if record.uses_teacher_images}
    assert saw == {"full", "zero_shot", "of somebody else"}


def test_text_that_the_grids_give_no_part_is_not_read(tmp_path: Path) -> None:
    """No bridge is fitted, and the record names the teacher's text only."""
    np.savez(tmp_path / "none.npz", class_names=CLASSES, vectors=np.eye(len(OF)))
    parts = replace(short(), alphas=(1.0,), semantic_weights=(0.0,))
    row = Row(method=SynTransRow(parts=parts), encoder="distilled")
    made = experiment(tmp_path, methods=[ProtoNet("cosine"), row],
                      text_encoder=VectorFile(tmp_path / "none.npz"))  # fmt: skip
    record = run(made, tmp_path)["syntrans"]
    assert made.teacher_text is not None and record.semantics == made.teacher_text.source
    assert record.accuracy > 30
    assert not (tmp_path / "cache" / "bridges").exists()


def short() -> Any:
    from syntrans_l2l.algorithms.settings import SynTransSettings
    from syntrans_l2l.training.bridge import BridgeTraining

    return SynTransSettings(bridge=BridgeTraining(hidden=16, epochs=1), folds=2,
                            meta=MetaTraining(iterations=0))  # fmt: skip


def test_the_frozen_encoders_features_are_the_same_ones(tmp_path: Path) -> None:
    """And found again: neither they nor the projection are computed twice."""
    data = FewShotData("random", random_split(4, 8, "base"), random_split(2, 8, "validation", 1),
                       random_split(2, 8, "novel", 2), "random")  # fmt: skip
    place = work(data, tmp_path)
    base = BaseStudent(lambda: resnet12(4), BaseTraining(epochs=1, batch_size=16))
    taught = ProjectedEncoder(base, Stage1(ClipTeacher("embedded"), SHORT))
    plain, made = base.encode(place), taught.encode(place)
    for split, features in plain.features.items():
        assert torch.equal(made.features[split], features)
    assert plain.aligned is None and made.aligned is not None and made.hash != plain.hash
    torch.testing.assert_close(made.aligned["test"].norm(dim=-1), torch.ones(16))
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    again = taught.encode(work(data, tmp_path))
    assert again.hash == made.hash and again.aligned is not None
    assert torch.equal(again.aligned["test"], made.aligned["test"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == files


def test_features_are_found_by_the_photographs_paths(
    make_archive: MakeArchive, tmp_path: Path
) -> None:
    """In a folder of class folders; photographs that the file lacks have rows of NaN."""
    make_archive(images=4)
    folder = tmp_path / "cifarfs" / "cifar100" / "data"
    splits = {"train": SPLITS["train"], "val": SPLITS["val"], "test": SPLITS["test"]}
    data = ImageFolderBenchmark(root=folder, splits=splits, size=16).load(tmp_path, Cache(tmp_path))
    names = [f"{name}/{name}_s_{number:06d}.png" for name in NAMES[:24] for number in range(4)]
    given = torch.randn(len(names), 5, generator=GENERATOR)
    order = torch.randperm(len(names), generator=GENERATOR).tolist()[:-2]
    kept = {
        "features": given[order].half(),
    }
    save_file(kept, tmp_path / "clip.safetensors",
              metadata={"images": json.dumps([names[row] for row in order]),
                        "teacher": "CLIP"})  # fmt: skip
    teacher = TeacherFeatures(tmp_path / "clip.safetensors")
    found = torch.cat([teacher.features(data, split) for split in ("train", "validation", "test")])
    lacking = sorted(set(range(len(names))) - set(order))
    assert torch.where(found.isnan().any(1))[0].tolist() == lacking
    rows = sorted(order)
    torch.testing.assert_close(found[rows], F.normalize(given, dim=-1)[rows], atol=2e-3, rtol=0)
    assert teacher.source == "CLIP"
    with pytest.raises(ValueError, match=r"CLIP lacks features for . of .* a row on the teacher"):
        ClipEncoder(teacher).encode(work(data, tmp_path))


def test_clips_own_features_lie_in_its_space(tmp_path: Path) -> None:
    given = GivenFeatures().encode(work(brought(shared_space=True), tmp_path))
    assert given.aligned is not None
    torch.testing.assert_close(given.aligned["test"], F.normalize(given.features["test"], dim=-1))
    assert GivenFeatures().encode(work(brought(), tmp_path)).aligned is None


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Each in one line that names the fix."""
    text = vectors(tmp_path, teacher="CLIP L14")
    with pytest.raises(ValueError, match=r"of 'CLIP', the text vectors .* of 'CLIP L14': their"):
        run(experiment(tmp_path, teacher_text=text), tmp_path)
    with pytest.raises(ValueError, match=r"lacks vectors for .* of .* classes: class 8, class 9"):
        run(experiment(tmp_path, teacher_text=vectors(tmp_path, first=10)), tmp_path, "1")
    np.savez(tmp_path / "wide.npz", class_names=CLASSES, vectors=np.ones((len(OF), 7)))
    with pytest.raises(ValueError, match=r"image features have width 6, its text vectors"):
        run(experiment(tmp_path, teacher_text=VectorFile(tmp_path / "wide.npz")), tmp_path, "2")
    reads = Distillation(assignment=1.0)
    with pytest.raises(ValueError, match=r"bind Experiment.teacher_text"):
        experiment(tmp_path, teacher_text=None, distillation=reads).check(tmp_path)
    with pytest.raises(ValueError, match="no base class has a text vector"):
        run(experiment(tmp_path, distillation=reads), tmp_path, "3")
    path = write(tmp_path, "none.npz")
    with np.load(path) as file:
        np.savez(path, **{name: file[name] for name in file if name != "teacher_features"})
    with pytest.raises(ValueError, match="brings no teacher_features"):
        run(experiment(tmp_path, dataset=FeatureBenchmark(path)), tmp_path, "4")
    with pytest.raises(FileNotFoundError, match=r"no teacher's features at"):
        TeacherFeatures(tmp_path / "absent.npz").check()
    with pytest.raises(ValueError, match="does not say what its images' files are called"):
        TeacherFeatures(_images(tmp_path)).features(brought(), "train")


def _images(folder: Path) -> Path:
    np.savez(folder / "images.npz", features=np.ones((2, 3)), images=["a/1.jpg", "a/2.jpg"])
    return folder / "images.npz"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (TEACHER[:5], r"a row for each of the 400 features, got \[5, 6\]"),
        (TEACHER * torch.nan, "hold no row without NaN"),
        (torch.cat([TEACHER[:-1], TEACHER[-1:].clone().fill_(torch.inf)]), "some NaN or infinity"),
    ],
)
def test_teacher_features_that_do_not_fit_are_refused(features: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        brought(teacher_features=features)


@pytest.mark.parametrize(("base", "novel"), [("class 3", "Class-3"), ("lion", "n02129165")])
def test_no_name_of_a_novel_class_is_a_prototype(tmp_path: Path, base: str, novel: str) -> None:
    """Two splits share a class, as two data sets may; not seen before by a WordNet id."""
    names = [*CLASSES[:3], base, *CLASSES[4:-1], novel]
    shared = write(tmp_path, "shared.npz", class_names=names)
    parts: Any = {"distillation": replace(SHORT, assignment=1.0), "teacher_text": vectors(tmp_path)}
    folders: Any = {"root": tmp_path, "cache": Cache(tmp_path), "device": torch.device("cpu")}
    made = experiment(tmp_path, dataset=FeatureBenchmark(shared), **parts)
    with pytest.raises(ValueError, match=f"names of validation or novel classes: {novel};"):
        made.prepare(**folders)  # before any training
    for fits in (replace(made, distillation=SHORT), experiment(tmp_path, **parts)):
        fits.prepare(**folders)


def test_a_student_of_another_data_set(make_archive: MakeArchive, tmp_path: Path) -> None:
    """Trained on its base classes only, and refused where it would know a novel class."""
    make_archive(images=8)
    folder = tmp_path / "cifarfs" / "cifar100" / "data"
    apart = {"train": NAMES[6:12], "val": NAMES[12:18], "test": NAMES[18:24]}
    parts: dict[str, Any] = {
        "student": lambda: resnet12(4),
        "base_training": BaseTraining(epochs=1, batch_size=32),
        "student_dataset": CifarFs(),
        "methods": [ProtoNet("cosine")],
        "shots": [1],
        "queries": 5,
        "episodes": 20,
    }

    def preparation(**splits: Any) -> Preparation:
        dataset = ImageFolderBenchmark(root=folder, splits={**apart, **splits}, size=32)
        made = Experiment(dataset=dataset, **parts)
        return made.prepare(root=tmp_path, cache=Cache(tmp_path / "cache"),
                            device=torch.device("cpu"))  # fmt: skip

    first, other = preparation(), preparation(train=NAMES[:6])
    students = [each.student("base") for each in (first, other)]
    assert students[0] is not None and students[1] is not None
    for one, two in zip(students[0].parameters(), students[1].parameters(), strict=True):
        assert torch.equal(one, two)
    assert len(list((tmp_path / "cache" / "students").glob("*.safetensors"))) == 1
    assert first.encoded("base").recipe["trained_on"] == "cifar_fs"
    with pytest.raises(ValueError, match=r"student_dataset has base classes .*: class_a"):
        preparation(train=NAMES[6:12], test=[*NAMES[18:24], "class_a"])


def test_what_the_teacher_saw_travels_with_the_features(
    make_archive: MakeArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`export-features --teacher`: base images have the teacher's features, the others NaN."""
    make_archive(images=4)
    monkeypatch.setenv("SYNTRANS_DATA", str(tmp_path))
    (tmp_path / "small.gin").write_text(
        "Experiment.dataset = @CifarFs()\nExperiment.student = @resnet12\nresnet12.width = 4\n"
        "Experiment.base_training = @BaseTraining()\nBaseTraining.epochs = 1\n"
        "Experiment.teacher = @ClipTeacher()\nExperiment.methods = [@ProtoNet()]\n"
        "Experiment.shots = [1]\nExperiment.queries = 2\n"
    )
    done = export(["--gin", str(tmp_path / "small.gin"), "--teacher", "--out", str(tmp_path)])
    assert done == 0
    data = FeatureBenchmark(tmp_path / "features_base.safetensors").load(tmp_path, Cache(tmp_path))
    teacher = ClipTeacher("embedded")
    pixels = CifarFs().load(tmp_path, Cache(tmp_path / "syntrans_cache"))
    assert data.teacher == teacher.source and data.teacher_features is not None
    expected = teacher.image_features(pixels.train.images).float()
    torch.testing.assert_close(data.teacher_features["train"], expected)
    assert data.teacher_features["test"].isnan().all()
