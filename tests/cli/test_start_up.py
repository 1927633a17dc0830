"""Starting up is quick because of what is not imported: import graphs, no seconds."""

import json
import subprocess
import sys

import pytest
from common import REPOSITORY

HEAVY = ("gin", "gym", "learn2learn", "open_clip", "pytorch_lightning", "transformers")
# these are learn2learn's classes, or begin with its tasks
BUILT_ON_LEARN2LEARN = {
    "SemanticLabels", "SemanticTaskset", "SynTrans", "Task", "collate", "finished_algorithm",
    "semantic_tasksets",
}  # fmt: skip


def imported(script: str) -> set[str]:
    """Which of the heavy packages `script` leaves in sys.modules."""
    end = f"\nimport json, sys; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    result = subprocess.run(
        [sys.executable, "-c", script + end], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_the_package_and_its_light_names() -> None:
    script = (
        "import syntrans_l2l\n"
        f"for name in set(syntrans_l2l.__all__) - {BUILT_ON_LEARN2LEARN}:\n"
        "    getattr(syntrans_l2l, name)"
    )
    assert imported(script) == set()


def test_the_package_alone_does_not_even_import_torch() -> None:
    assert imported("import sys, syntrans_l2l; assert 'torch' not in sys.modules") == set()


@pytest.mark.parametrize("command", ["run.py", "leaderboard.py", "mine.py", "sweep.py"])
def test_help(command: str) -> None:
    script = (
        f"import runpy, sys; sys.argv = [{command!r}, '--help']\n"
        f"try: runpy.run_path('benchmarks/{command}', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules"
    )
    assert imported(script) == set()


def test_the_check_can_fail() -> None:
    assert imported("import gin") == {"gin"}
    assert "learn2learn" in imported("from syntrans_l2l import SemanticLabels")
    with pytest.raises(AssertionError):
        imported("raise SystemExit(1)")
