"""Sweeps over a miniature archive: killed, restarted, on Ray; nothing is lost or doubled."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from common import REPOSITORY, SPLITS, write_archive

from syntrans_l2l.cli import sweep

FILE = REPOSITORY / "gin" / "protonet_cifarfs.gin"
SMALL = (
    "resnet12.width = 4",
    "BaseTraining.epochs = 2",
    "BaseTraining.batch_size = 32",
    "Experiment.episodes = 60",
    "Experiment.validation_episodes = 40",
)
CELLS = sorted((seed, k, m) for seed in (0, 1) for k in (1, 5)
               for m in ("protonet", "protonet_cosine"))  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_archive(tmp_path, SPLITS, 20)


def start(root: Path, *arguments: str, bindings: Sequence[str] = SMALL) -> subprocess.Popen[str]:
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "sweep.py")]
    command += [
        "--gin",
        str(REPOSITORY / "gin" / "protonet_cifarfs.gin"),
        "--out",
        str(root / "out"),
    ]
    command += ["--seeds", "0", "1", *arguments]
    for binding in bindings:
        command += ["--set", binding]
    # by default Ray's workers give way to everything else on the machine
    environment = {**os.environ, "SYNTRANS_DATA": str(root), "RAY_worker_niceness": "0"}
    environment.pop("SYNTRANS_CACHE", None)
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    printed, errors = process.communicate()
    return process.returncode, printed, errors


def records(root: Path) -> list[dict[str, Any]]:
    file = root / "out" / "results.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def cells(root: Path) -> list[tuple[int, int, str]]:
    return sorted((r["seed"], r["shots"], r["method"]) for r in records(root))


def wait_for(what: Callable[[], object], process: subprocess.Popen[str]) -> None:
    while not what():
        assert process.poll() is None
        time.sleep(0.02)


def test_a_killed_sweep_goes_on_where_it_was(root: Path) -> None:
    first = start(root)
    wait_for(lambda: len(records(root)) >= 3, first)
    first.send_signal(signal.SIGKILL)
    finish(first)
    before = records(root)
    assert 3 <= len(before) < len(CELLS)
    code, printed, errors = finish(start(root))
    assert code == 0, errors
    assert records(root)[: len(before)] == before and cells(root) == CELLS
    assert "8 of 8 cells done" in printed and printed.count("ProtoNet (cosine)") == 1
    assert "seeds 0, 1: mean ± standard deviation over seeds" in printed
    assert (root / "out" / "table.md").read_text().count("| ProtoNet (cosine) |") == 3
    assert all(
        r["delta_vs"] == "protonet_cosine" for r in records(root) if r["method"] == "protonet"
    )
    written = (root / "out" / "results.jsonl").read_bytes()
    code, _, errors = finish(start(root))
    assert code == 0 and (root / "out" / "results.jsonl").read_bytes() == written
    assert "training the student" not in errors


def test_a_killed_worker_of_ray_is_replaced(root: Path) -> None:
    """Killed in the midst of training, while another waits for the same student."""
    pytest.importorskip("ray")
    longer = (*SMALL, "BaseTraining.epochs = 12")
    process = start(root, "--workers", "2", "--seeds", "0", "--shots", "1", bindings=longer)
    students = root / "syntrans_cache" / "students"
    wait_for(lambda: list(students.glob("*.checkpoint.pt")), process)
    [checkpoint] = students.glob("*.checkpoint.pt")
    name = checkpoint.name.split(".")[0]
    os.kill(holder(root / "syntrans_cache" / "locks" / f"{name}.lock"), signal.SIGKILL)
    code, _, errors = finish(process)
    assert code == 0, errors
    assert cells(root) == [cell for cell in CELLS if cell[:2] == (0, 1)]
    assert len(list(students.iterdir())) == 1 and not list(root.rglob("*.partial"))


@pytest.fixture
def sweep_here(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """A sweep in this process: what it returns and prints."""
    monkeypatch.setenv("SYNTRANS_DATA", str(root))
    monkeypatch.delenv("SYNTRANS_CACHE", raising=False)

    def run(*arguments: str, files: Sequence[Path] = (FILE,)) -> tuple[int, str, str]:
        given = ["--gin", *map(str, files), "--out", str(root / "out"), *arguments]
        code = sweep.main([*given, *(word for binding in SMALL for word in ("--set", binding))])
        return code, *capsys.readouterr()

    return run


def test_a_failing_cell_is_named_and_stops_no_other(
    root: Path, sweep_here: Callable[..., tuple[int, str, str]]
) -> None:
    """A learning rate that only training finds fault with, in one of two files."""
    bad = root / "bad.gin"
    whole = FILE.read_text().replace("include '", f"include '{FILE.parent}/")
    bad.write_text(f"{whole}BaseTraining.learning_rate = 1e30\n")
    arguments = ("--methods", "protonet_cosine", "--shots", "1")
    code, printed, errors = sweep_here(*arguments, files=(bad, FILE))
    assert code == 1
    assert "failed: bad, seed 0, 1-shot, protonet_cosine: ValueError: " in errors
    assert "not finite" in errors
    assert "1 of 2 cells done" in printed and cells(root) == [(0, 1, "protonet_cosine")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "no_such_row"), "no_such_row"),
        (("--workers", "0"), "--workers"),
        (("--shots", "100"), "shots + queries"),
    ],
)
def test_bad_input_is_one_line(
    sweep_here: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], message: str
) -> None:
    code, _, errors = sweep_here(*arguments)
    assert code == 2 and message in errors and len(errors.strip().splitlines()) == 1


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from syntrans_l2l.cli import sweep\n"
        "try: sweep.main()\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'ray', 'gin', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def holder(lock: Path) -> int:
    """The process that has locked a file."""
    inode = str(lock.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()  # "1: FLOCK ADVISORY WRITE PID DEVICE:INODE 0 EOF"
        if "->" not in fields and fields[5].split(":")[-1] == inode:
            return int(fields[4])
    raise AssertionError(f"nobody holds {lock}")
