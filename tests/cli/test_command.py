"""The installed command and its doors, from any working directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import TINY_FEATURES, features_file, records
from common import REPOSITORY

import syntrans_l2l
from syntrans_l2l.cli.bars import bar
from syntrans_l2l.cli.commit import commit
from syntrans_l2l.cli.common import device, guarded
from syntrans_l2l.cli.main import COMMANDS, main
from syntrans_l2l.cli.threads import give_way

OWN_MODULE = """
from syntrans_l2l import ProtoNet

class Mine(ProtoNet):
    pass
"""


def call(
    *command: str, cwd: Path, python_path: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(python_path), "SYNTRANS_DATA": str(cwd)}
    environment.pop("SYNTRANS_CACHE", None)
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n{command} " in overview
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0
        assert f"usage: syntrans {command}" in capsys.readouterr().out


def test_no_command_and_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (([], "a command is missing"), (["rum"], "no command 'rum'")):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert message in error and "check-data" in error and error.count("\n") == 1
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == syntrans_l2l.__version__


@pytest.mark.parametrize(
    "door",
    [
        ["benchmarks/run.py"],
        ["benchmarks/run.py", "check-data"],
        ["benchmarks/run.py", "export-features"],
        ["benchmarks/mine.py"],
        ["benchmarks/leaderboard.py"],
        ["benchmarks/sweep.py"],
    ],
)
def test_doors_work_anywhere(door: list[str], tmp_path: Path) -> None:
    """Even where the package is not installed: its repository comes first."""
    script = str(REPOSITORY / door[0])
    done = call(script, *door[1:], "--help", cwd=tmp_path, python_path=tmp_path)
    command = door[1] if len(door) > 1 else Path(script).stem
    assert done.returncode == 0, done.stderr
    assert f"usage: syntrans {command}" in done.stdout


def test_own_gin_file_and_own_module_outside_the_clone(tmp_path: Path) -> None:
    """A folder `datasets` in the working directory is no obstacle, nor is a `mine.py`."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "mine.py").write_text(OWN_MODULE)
    (tmp_path / "own.gin").write_text(
        "include 'syntrans_features.gin'\nimport mine\n"
        "Experiment.methods = [@cosine/ProtoNet(), @own/Row()]\n"
        "own/Row.method = @mine.Mine()\nown/Row.name = 'mine'\n"
    )
    features = features_file(tmp_path)
    bindings = [word for binding in (features, *TINY_FEATURES) for word in ("--set", binding)]
    run = str(REPOSITORY / "benchmarks" / "run.py")
    done = call(run, "--gin", "own.gin", "--out", "out", *bindings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [r["method"] for r in records(tmp_path / "out")] == ["protonet_cosine", "mine"]
    assert "syntrans leaderboard out" in done.stdout.splitlines()[-1]
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_shipped_files_by_short_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("datasets/generated.gin", "gin/datasets/generated.gin"):
        assert main(["check-data", "--gin", name]) == 0
        assert "generated is there" in capsys.readouterr().out
    assert main(["check-data", "--gin", "syntrans_deno.gin"]) == 2
    error = capsys.readouterr().err
    assert "no configuration file syntrans_deno.gin" in error and error.count("\n") == 1


def test_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert device("cpu") == torch.device("cpu")
    assert device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")
    for command in ("run", "export-features", "sweep"):
        for name in ("cuda:99", "gpu", "meta", "mps:7"):
            assert main([command, "--gin", "syntrans_demo.gin", "--device", name]) == 2
            error = capsys.readouterr().err
            assert f"error: --device '{name}' cannot be used here" in error
            assert error.count("\n") == 1


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError, PermissionError, ImportError])
def test_errors_are_one_line(kind: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise kind("one\n  and\ttwo")

    assert guarded(fail) == 2
    assert capsys.readouterr().err == "error: one and two\n"
    with pytest.raises(ZeroDivisionError):  # a fault of ours keeps its traceback
        guarded(lambda: 1 // 0)


def test_threads_give_way_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    give_way()
    assert os.environ["GOMP_SPINCOUNT"] == "1000"
    for name in names:
        monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
        monkeypatch.setenv(name, "7")
        give_way()
        assert [n for n in names if n in os.environ] == [name] and os.environ[name] == "7"
        monkeypatch.delenv(name)


def test_threads_give_way_before_torch_is_there(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from syntrans_l2l.cli import main, threads\n"
        "def check(give_way=main.give_way): assert 'torch' not in sys.modules; give_way()\n"
        "main.give_way = check\n"
        "main.main(['check-data', '--gin', 'datasets/generated.gin'])\n"
        "import os; assert 'torch' in sys.modules and os.environ['GOMP_SPINCOUNT']\n"
    )
    done = call("-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_short_stages_draw_no_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with bar("a stage", total=3, unit="step") as advance:
        advance(3)
    assert "a stage" not in capsys.readouterr().err
    monkeypatch.setattr("syntrans_l2l.cli.bars._SECONDS", 0.0)
    with bar("a stage", total=3, unit="step") as advance:
        advance(3)
    assert "a stage" in capsys.readouterr().err


def test_the_commit_is_the_packages_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of a user's repository around the place where it is installed."""
    site = tmp_path / "user" / ".venv" / "site-packages" / "syntrans_l2l"
    site.mkdir(parents=True)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(tmp_path / "user")]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    monkeypatch.setattr(syntrans_l2l, "__file__", str(site / "__init__.py"))
    assert commit() == f"syntrans-l2l {syntrans_l2l.__version__}"
    inside = tmp_path / "user" / "syntrans_l2l" / "__init__.py"
    monkeypatch.setattr(syntrans_l2l, "__file__", str(inside))
    assert 7 <= len(commit().removesuffix("-dirty")) <= 40
    assert "syntrans" not in commit()
