"""The way of somebody else's numbers into our tables, by a script that imports nothing of ours."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY_FEATURES, features_file, records
from common import REPOSITORY

from syntrans_l2l.cli.main import main
from syntrans_l2l.episodes.episode_file import read_episodes

# numpy only: nearest means on exported episodes, as one would write it without this package
FOREIGN = """
import json, sys
import numpy as np

features_file, episodes_file, answers_file, form = sys.argv[1:]
features = np.load(features_file)["features"].astype("float32")
if episodes_file.endswith(".json"):
    episodes = json.load(open(episodes_file, encoding="utf-8"))
else:
    episodes = np.load(episodes_file)
images = np.array(episodes["images"])
support = features[images[np.array(episodes["support"])]]  # [E, N, K, D]
query = features[images[np.array(episodes["query"])]]  # [E, N, Q, D]
means = support.mean(2)[:, None]  # [E, 1, N, D]
queries = query.reshape(len(query), -1, 1, query.shape[-1])  # [E, N*Q, 1, D]
logits = -((queries - means) ** 2).sum(-1)  # [E, N*Q, N]
answers = logits.argmax(-1)
accuracies = (answers == np.array(episodes["labels"])).mean(1) * 100
what = {"answers": answers, "logits": logits, "accuracies": accuracies}[form]
if answers_file.endswith(".csv"):
    np.savetxt(answers_file, what, delimiter=",", fmt="%.2f" if form == "accuracies" else "%d")
elif answers_file.endswith(".npz"):
    np.savez(answers_file, what)
else:
    np.save(answers_file, what)
"""


@pytest.fixture
def gin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that name the experiment."""
    monkeypatch.setenv("SYNTRANS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SYNTRANS_CACHE", raising=False)
    methods = "Experiment.methods = [@cosine/ProtoNet(), @euclidean/ProtoNet()]"
    bindings = (features_file(tmp_path), *TINY_FEATURES, methods)
    sets = [word for binding in bindings for word in ("--set", binding)]
    return ["--gin", "syntrans_features.gin", *sets]


def foreign(folder: Path, episodes: Path, answers: Path, form: str) -> Path:
    (folder / "foreign.py").write_text(FOREIGN)
    subprocess.run(
        [sys.executable, "-I", folder / "foreign.py", folder / "features.npz", episodes, answers,
         form],
        check=True,
    )  # fmt: skip
    return answers


@pytest.mark.parametrize(
    ("episodes", "answers", "form"),
    [
        ("episodes_1shot.npz", "answers.npy", "answers"),
        ("episodes_1shot.json", "answers.csv", "answers"),
        ("episodes_1shot.npz", "logits.npz", "logits"),
        ("episodes_1shot.json", "accuracies.csv", "accuracies"),
    ],
)
def test_nearest_means_elsewhere_are_our_protonet(
    gin: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    episodes: str,
    answers: str,
    form: str,
) -> None:
    out, exported = tmp_path / "out", tmp_path / "episodes"
    assert main(["run", *gin, "--out", str(out)]) == 0
    assert main(["export-episodes", *gin, "--out", str(exported)]) == 0
    file = foreign(tmp_path, exported / episodes, tmp_path / answers, form)
    what = "--accuracies" if form == "accuracies" else "--predictions"
    added = ["--episodes", str(exported / episodes), "--method", "Ours", what, str(file)]
    assert main(["add-results", *added, "--text", "--encoder", "mine", "--out", str(out)]) == 0
    cosine, euclidean, ours = records(out)
    assert (cosine["method"], euclidean["method"]) == ("protonet_cosine", "protonet")
    assert euclidean["accuracy"] != cosine["accuracy"]
    for name in ("accuracy", "ci95", "delta", "delta_ci95", "delta_vs", "episodes"):
        assert ours[name] == euclidean[name], name
    assert ours["uses_text"] and not ours["is_transductive"] and ours["student"] == "mine"
    capsys.readouterr()
    tables = tmp_path / "tables"
    assert main(["leaderboard", str(out), "--out", str(tables), "--markdown", "--details"]) == 0
    assert "‡ made elsewhere" in capsys.readouterr().out
    table = (tables / "table.md").read_text(encoding="utf-8")
    [row] = [line for line in table.splitlines() if line.startswith("| Ours ‡ |")]
    assert "| mine | not stated | no | no | 20 | made elsewhere | not stated |" in row
    assert "made elsewhere, on the same episodes" in table
    assert "| ProtoNet (cosine) |" in table and "| ProtoNet |" in table
    assert "| minus ProtoNet (cosine) |" in table


def test_the_script_of_the_docs_page(
    gin: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers are those of nearest means: ours."""
    page = (REPOSITORY / "docs" / "own_numbers.md").read_text(encoding="utf-8")
    [script] = re.findall(r"^```text\n(import numpy.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["run", *gin, "--out", "results"]) == 0
    assert main(["export-episodes", *gin, "--out", "episodes"]) == 0
    subprocess.run([sys.executable, "-I", "script.py"], check=True)
    added = ["--episodes", "episodes/episodes_1shot.npz", "--method", "Ours"]
    assert main(["add-results", *added, "--predictions", "answers.npy", "--out", "results"]) == 0
    _, protonet, ours = records(tmp_path / "results")
    assert ours["accuracy"] == protonet["accuracy"] and ours["delta"] == protonet["delta"]


def test_bad_input_is_one_line(
    gin: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, exported = tmp_path / "out", tmp_path / "episodes"
    assert main(["run", *gin, "--out", str(out)]) == 0
    assert main(["export-episodes", *gin, "--out", str(exported)]) == 0
    other = [*gin, "--set", "Experiment.seed = 1"]
    assert main(["export-episodes", *other, "--out", str(tmp_path / "other")]) == 0
    good = np.zeros((20, 10), dtype=int)
    cases = {
        "there are 20 episodes of 10 queries and 5 ways": good[:19],
        "answers are ways of their episode, 0 to 4, got 0 to 5": good + 5 * np.eye(20, 10),
        "are not whole numbers": good + 0.5,
        "logits hold NaN": np.full((20, 10, 5), np.nan),
    }
    capsys.readouterr()
    files = {}
    for number, (message, array) in enumerate(cases.items()):
        np.save(tmp_path / f"{number}.npy", array)
        files[message] = ("--predictions", f"{number}.npy", exported)
    np.save(tmp_path / "good.npy", good)
    np.save(tmp_path / "fractions.npy", np.full(20, 0.7))
    np.save(tmp_path / "short.npy", np.full(5, 70.0))
    (tmp_path / "text.csv").write_text("cat,dog\n")
    files |= {
        "not fractions": ("--accuracies", "fractions.npy", exported),
        "accuracies are [20], got [5]": ("--accuracies", "short.npy", exported),
        "cannot be read": ("--predictions", "text.csv", exported),
        "no file": ("--predictions", "none.npy", exported),
        "no episodes at": ("--predictions", "good.npy", tmp_path / "nowhere"),
        "are of other data or another size": ("--predictions", "good.npy", tmp_path / "other"),
    }
    file = read_episodes(exported / "episodes_1shot.npz")
    drawn = file.episodes
    turned = replace(file, episodes=replace(drawn, support=drawn.support.flip(0)))
    turned.write(tmp_path / "edited" / "episodes_1shot.npz")
    files["are not those of protonet_cosine"] = ("--predictions", "good.npy", tmp_path / "edited")
    before = (out / "results.jsonl").read_text()
    for message, (option, name, folder) in files.items():
        added = ["--episodes", str(folder / "episodes_1shot.npz"), "--method", "Ours"]
        added += [option, str(tmp_path / name), "--out", str(out)]
        assert main(["add-results", *added]) == 2, message
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and message in line
    assert (out / "results.jsonl").read_text() == before


def test_a_folder_of_its_own_has_no_difference(gin: list[str], tmp_path: Path) -> None:
    assert main(["export-episodes", *gin, "--out", str(tmp_path)]) == 0
    np.save(tmp_path / "good.npy", np.zeros((20, 10), dtype=int))
    added = ["--episodes", str(tmp_path / "episodes_1shot.npz"), "--method", "Ours"]
    added += ["--predictions", str(tmp_path / "good.npy"), "--out", str(tmp_path / "out")]
    assert main(["add-results", *added]) == 0
    [ours] = records(tmp_path / "out")
    assert ours["accuracy"] == 20.0 and ours["delta"] is None
