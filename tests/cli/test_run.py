"""The command line from archive to table, on a miniature archive in the true layout."""

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import SMALL, command_line, fails_with, records, run, vectors_file
from common import REPOSITORY, SPLITS, MakeArchive

from syntrans_l2l import SemanticTaskset, SynTrans, finished_algorithm
from syntrans_l2l.cache import Cache
from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.experiment.config import load_experiment
from syntrans_l2l.reporting.records import Record, read_accuracies, read_diagnostics

METHODS = (
    "protonet_cosine",
    "protonet",
    "maml",
    "syntrans_visual",
    "syntrans_shuffled",
    "syntrans_shuffled_reselected",
    "syntrans",
)


def test_from_archive_to_table(finished: tuple[Path, Path, tuple[str, ...], str]) -> None:
    _, out, _, printed = finished
    written = records(out)
    assert [(r["method"], r["shots"]) for r in written] == [(m, k) for k in (1, 5) for m in METHODS]
    markdown = (out / "table.md").read_text()
    for record in written:
        cell = f"{record['accuracy']:.2f} ± {record['ci95']:.2f}"
        assert cell in markdown
        assert cell.replace(" ", "") in printed.replace(" ", "")  # a narrow screen has no room
        assert record["episodes"] == (4 if record["method"] == "maml" else 100)
        assert (record["delta"] is None) == (record["method"] == "protonet_cosine")
        reads = record["method"].startswith("syntrans") and record["method"] != "syntrans_visual"
        assert record["uses_text"] == reads
        assert record["is_transductive"] == (record["method"] == "maml")
        assert "BaseTraining.epochs = 3" in str(record["config"])
        assert (out / str(record["episode_accuracies"])).is_file()
        tensors, names = read_diagnostics(out / str(record["diagnostics"]))
        assert names == [*SPLITS["test"]]
        right, queries = tensors["class_right"].sum(), tensors["class_queries"].sum()
        assert 100 * right / queries == pytest.approx(record["accuracy"])
        assert ("alphas" in tensors) == bool(record["uses_text"])
        if "alphas" in tensors:
            alphas, curve = tensors["alphas"].tolist(), tensors["alpha_test"]
            [(accuracy, ci95)] = [
                row.tolist()
                for row, alpha in zip(curve, alphas, strict=True)
                if alpha == record["selected"]["values"]["alpha"]
            ]
            assert accuracy == pytest.approx(record["accuracy"])
            assert ci95 == pytest.approx(record["ci95"], rel=1e-4)
    assert "BaseTraining.epochs = 3" in (out / "operative_config.gin").read_text()
    encoders = {r["identity"]["encoder"] for r in written if r["identity"]["encoder"]}
    for encoder in encoders:  # how it learnt, for the figure
        learning = json.loads((out / "learning" / f"{encoder}.json").read_text())
        assert len(learning["loss"]) == len(learning["validation"]) == 3
    assert encoders
    assert sum("-shot: " in line for line in printed.splitlines()) == len(written)  # as it goes
    assert "gym" not in printed.lower()


def test_a_second_start_computes_nothing(
    finished: tuple[Path, Path, tuple[str, ...], str],
) -> None:
    root, out, bindings, printed = finished
    before = (out / "results.jsonl").read_bytes()
    second = run(root, out, *bindings)
    assert second.returncode == 0, second.stderr
    assert (out / "results.jsonl").read_bytes() == before
    assert "training" not in second.stderr and "fitting" not in second.stderr
    assert printed.split(" minutes. ")[0].rsplit("\n", 1)[0] in second.stdout


def test_the_same_seed_gives_the_same_bits_and_a_killed_run_resumes(
    finished: tuple[Path, Path, tuple[str, ...], str], tmp_path: Path
) -> None:
    """Another process, another cache, killed after its first record: the same accuracies."""
    root, out, bindings, _ = finished
    shutil.copytree(root / "cifarfs" / "cifar100", tmp_path / "cifarfs" / "cifar100")
    arguments, environment = command_line(tmp_path, tmp_path / "out", *bindings)
    process = subprocess.Popen(
        arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "out" / "results.jsonl").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < len(records(tmp_path / "out")) < 12
    resumed = run(tmp_path, tmp_path / "out", *bindings)
    assert resumed.returncode == 0, resumed.stderr
    assert "training the student" not in resumed.stderr
    for first, second in zip(records(out), records(tmp_path / "out"), strict=True):
        for name in ("id", "accuracy", "ci95", "delta", "selected", "data_fingerprint"):
            assert first[name] == second[name], name
        one, other = (
            (folder / str(record["episode_accuracies"])).read_bytes()
            for folder, record in ((out, first), (tmp_path / "out", second))
        )
        assert one == other


def test_the_algorithm_of_a_finished_row(
    finished: tuple[Path, Path, tuple[str, ...], str], tmp_path: Path
) -> None:
    """From images to accuracies by learn2learn's protocol: those of the record."""
    root, out, bindings, _ = finished
    experiment = load_experiment(REPOSITORY / "gin" / "syntrans_cifarfs_cpu.gin", list(bindings))
    place: dict[str, Any] = {"root": root, "cache": Cache(root / "syntrans_cache")}
    algorithm = finished_algorithm(experiment, shots=5, **place)
    algorithm.save_pretrained(tmp_path)
    network = resnet12(width=4)
    test = experiment.dataset.load(**place).test
    read = SynTrans.from_pretrained(tmp_path, network)
    random.seed(experiment.seed)
    taskset = SemanticTaskset(test, ways=5, samples=5 + 15)
    accuracies = []
    for _ in range(100):
        task = taskset.sample()
        rows = torch.arange(100).view(5, 20)
        with torch.no_grad():
            read.adapt(task[0][rows[:, :5].flatten()], task[1][rows[:, :5].flatten()],
                       task.class_ids)  # fmt: skip
            logits = read(task[0][rows[:, 5:].flatten()])
        right = logits.argmax(1) == task[1][rows[:, 5:].flatten()]
        accuracies.append(100 * right.double().mean())
    [record] = [r for r in records(out) if (r["method"], r["shots"]) == ("syntrans", 5)]
    written = read_accuracies(Record(**record), out)
    torch.testing.assert_close(torch.stack(accuracies), written)
    for title, message in (("maml", "is Maml's, not SynTrans's"), ("none", "no row 'none'")):
        with pytest.raises(ValueError, match=message):
            finished_algorithm(experiment, title, shots=5, **place)


def test_a_missing_archive(tmp_path: Path) -> None:
    fails_with("no CIFAR-FS archive at", run(tmp_path, tmp_path / "out", "VECTORS = None"))


def test_bad_settings(make_archive: MakeArchive, tmp_path: Path) -> None:
    root = make_archive(images=16)
    out, vectors = tmp_path / "out", vectors_file(tmp_path)
    fails_with("shots + queries = 5 + 15 images a class are needed, and", run(root, out, vectors))
    small = (vectors, "Experiment.queries = 5")
    fails_with(
        "7 ways asked for, but there are only 6", run(root, out, *small, "Experiment.ways = 7")
    )
    fails_with("Experiment.episode", run(root, out, *small, "Experiment.episode = 7"))
    fails_with("4 folds leave 3; use fewer folds", run(root, out, *small))
    folds = "SynTransSettings.folds = 2"
    many = (*small, folds, "MetaTraining.queries = 12")
    fails_with("lower MetaTraining.queries", run(root, out, *many))
    fails_with("bind Experiment.student", run(root, out, *small, "Experiment.student = None"))
    np.savez(tmp_path / "few.npz", class_names=["bed"], vectors=np.ones((1, 3)))
    few = f"VECTORS = {str(tmp_path / 'few.npz')!r}"
    fails_with("lacks vectors for 24 of 24 classes", run(root, out, few, *small[1:], folds))
    (tmp_path / "file").write_text("")
    fails_with("choose another with --out", run(root, tmp_path / "file" / "out", *small))
    assert not (out / "results.jsonl").exists()


def test_maml_alone_needs_no_student(make_archive: MakeArchive, tmp_path: Path) -> None:
    size = (*SMALL, "Experiment.queries = 5", "Experiment.shots = (1,)")
    arguments, environment = command_line(
        make_archive(images=16), tmp_path, *size, file="maml_cifarfs.gin"
    )
    alone = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    [record] = records(tmp_path)
    assert (record["method"], record["student"]) == ("maml", "CNN4, 4 channels")


def test_two_processes_write_one_table(
    finished: tuple[Path, Path, tuple[str, ...], str], tmp_path: Path
) -> None:
    """Students are trained by both; records and bars come from the first alone."""
    root, _, bindings, _ = finished
    rows = ("Experiment.methods = [@cosine/ProtoNet()]", "FabricWorkers.accelerator = 'cpu'")
    arguments, environment = command_line(root, tmp_path, *bindings, *rows)
    together = subprocess.run(
        [*arguments, "--devices", "2"], env=environment, capture_output=True, text=True
    )
    assert together.returncode == 0, together.stderr
    assert [(r["method"], r["shots"]) for r in records(tmp_path)] == [
        ("protonet_cosine", 1),
        ("protonet_cosine", 5),
    ]
    assert together.stdout.count("Figures and a page: ") == 1
    assert together.stderr.count("% of the measured matrix peak") == 1
