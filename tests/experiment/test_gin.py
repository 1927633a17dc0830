"""Configuration files: the shipped ones, those of other people, and mistakes in them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from common import REPOSITORY

from syntrans_l2l.experiment.config import (
    load_dataset,
    load_experiment,
    load_mining,
    operative_config,
    parse_file,
)
from syntrans_l2l.experiment.gin_files import search_path
from syntrans_l2l.experiment.gin_names import RENAMED
from syntrans_l2l.methods.task_method import TaskMethod

FILES = sorted((REPOSITORY / "gin").rglob("*.gin"))
EXPERIMENTS = sorted((REPOSITORY / "gin").glob("*.gin"))


def test_all_files_are_found() -> None:
    assert {"syntrans_demo.gin", "syntrans_mini.gin"} <= {file.name for file in EXPERIMENTS}
    assert {"demo.gin", "cub.gin"} <= {file.name for file in FILES} and set(EXPERIMENTS) < set(
        FILES
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_every_file_parses(file: Path) -> None:
    """Building blocks by themselves describe no experiment, but every name in them is known."""
    parse_file(file, search_path(file))


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.name)
def test_every_experiment_builds(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines[0] == f"# python benchmarks/run.py --gin gin/{file.name}"
    assert len(lines) <= 15
    experiment = load_experiment(file, [])
    assert experiment.methods
    assert "Experiment.dataset" in operative_config()


@pytest.mark.parametrize(
    "name", ["cifarfs", "cifarfs_cpu", "fc100", "fc100_cpu", "mini", "tiered", "cub"]
)
def test_each_data_set_shows_syntrans_beside_protonet_and_maml(name: str) -> None:
    experiment = load_experiment(Path(f"syntrans_{name}.gin"), [])
    assert {"protonet_cosine", "maml", "syntrans"} <= {row.title for row in experiment.rows}


def test_rows_of_a_small_budget_say_so() -> None:
    """MAML's authors trained on 240,000 tasks; a row of fewer than 60,000 is short."""
    seen: dict[bool, int] = {True: 0, False: 0}
    for file in EXPERIMENTS:
        for row in load_experiment(file, []).rows:
            if isinstance(row.method, TaskMethod):
                training = row.method.training
                short = training.iterations * training.meta_batch < 60_000
                assert row.printed.endswith(" (short budget)") == short, (file.name, row.printed)
                assert row.title.startswith(row.method.name)
                seen[short] += 1
    assert all(seen.values())


MININGS = [file for file in FILES if "benchmarks/mine.py" in file.read_text()]


@pytest.mark.parametrize("file", MININGS, ids=lambda file: file.name)
def test_every_mining_builds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(MININGS) == 6
    first = file.read_text().splitlines()[0]
    assert first.startswith(f"# python benchmarks/mine.py --gin gin/semantics/{file.name}")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    bindings = re.findall(r'--set "(.*?)"', first)
    assert load_mining(file, bindings).miner.source.startswith("SynMine (")


def test_mistakes_are_named_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.gin"
    file.write_text("Experiment.seed = 1\nBaseTraining.epoch = 3\n")
    with pytest.raises(ValueError, match=r"epoch.*mine\.gin.*line 2"):
        load_experiment(file, [])
    file.write_text("Experimnt.seed = 1\n")
    with pytest.raises(ValueError, match=r"Experimnt.*mine\.gin.*line 1"):
        load_experiment(file, [])
    file.write_text("\ninclude 'datasets/mini.gin'\n\nExperimnt.seed = 1\n")
    with pytest.raises(ValueError, match=r"Experimnt.*mine\.gin.*line 4"):
        load_experiment(file, [])
    file.write_text("Experiment.seed = 1\n")
    with pytest.raises(ValueError, match=r"mine\.gin.*dataset.*methods"):
        load_experiment(file, [])
    file.write_text("Experiment.seed = %SEED\n")
    with pytest.raises(ValueError, match=r"mine\.gin.*SEED"):
        load_experiment(file, [])
    file.write_text("Experiment.methods = [@ProtoNet()\n")
    with pytest.raises(ValueError, match=r"mine\.gin.*EOF"):
        load_experiment(file, [])
    file.write_text("include 'mine.gin'\n")  # itself
    with pytest.raises(ValueError, match=r"mine\.gin"):
        load_experiment(file, [])
    with pytest.raises(ValueError, match="nothing"):
        load_experiment(EXPERIMENTS[0], ["nothing.at_all = 1"])
    with pytest.raises(FileNotFoundError, match="no configuration file"):
        load_experiment(tmp_path / "none.gin", [])


def test_a_macro_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    """Red before: gin takes any name, so a slip of the pen changed nothing and was not told."""
    file = tmp_path / "mine.gin"
    file.write_text(
        "include 'datasets/features.gin'\ninclude 'methods/protonet.gin'\n"
        "Experiment.methods = [@cosine/ProtoNet()]\n"
    )
    assert load_experiment(file, ["FEATURES = 'own.npz'"]).dataset.name == "own"
    with pytest.raises(ValueError, match=r"^\S*mine.gin: FEATURE changes .*read here: FEATURES$"):
        load_experiment(file, ["FEATURE = 'own.npz'"])
    own = "own/Row.encoder = @BaseStudent()\nBaseStudent.make = @resnet12\nresnet12.width = %W\n"
    file.write_text(
        "include 'datasets/cifar_fs.gin'\nBaseStudent.training = @BaseTraining()\nW = 4\n"
        f"Experiment.methods = [@own/Row()]\nown/Row.method = @ProtoNet()\n{own}"
    )
    load_experiment(file, ["W = 8"])  # read when the student is built
    with pytest.raises(ValueError, match=r"VECTORS changes nothing .*DESCRIPTORS, SENTENCE_ENC"):
        load_experiment(Path("syntrans_cifarfs_ablation.gin"), ["VECTORS = 'own.npz'"])


def test_files_of_other_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder `datasets` on sys.path once made gin take `datasets/` for a package."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "parts").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "own.gin"
    file.write_text(
        "include 'datasets/features.gin'\ninclude 'parts/rows.gin'\nFEATURES = 'own.npz'\n"
    )
    (tmp_path / "parts" / "rows.gin").write_text(  # beside it, and a shipped one
        "include 'more.gin'\ninclude 'methods/protonet.gin'\n"
    )
    (tmp_path / "parts" / "more.gin").write_text("Experiment.methods = [@cosine/ProtoNet()]\n")
    experiment = load_experiment(file, ["Experiment.seed = 7"])
    assert [row.title for row in experiment.rows] == ["protonet_cosine"]
    assert experiment.seed == 7 and "own.npz" in operative_config()
    over = load_experiment(file, ["include 'datasets/generated.gin'"])
    assert over.dataset.name == "generated"


def test_a_file_of_ones_own_goes_before_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "mini.gin").write_text("Experiment.dataset = @Generated()\n")
    file = tmp_path / "own.gin"
    file.write_text("include 'datasets/mini.gin'\n")
    assert load_dataset(file, []).name == "generated"


def test_what_cannot_be_included_or_imported(tmp_path: Path) -> None:
    file = tmp_path / "own.gin"
    file.write_text("include 'datasets/minni.gin'\n")
    with pytest.raises(FileNotFoundError) as missing:
        load_experiment(file, [])
    for part in ("own.gin includes 'datasets/minni.gin'", str(tmp_path), str(REPOSITORY / "gin")):
        assert part in str(missing.value)
    (tmp_path / "module_that_fails.py").write_text("1 / 0\n")
    (tmp_path / "colorsys.py").write_text("")
    import colorsys  # noqa: F401  # so that the standard one is there first

    for name, reason in (
        ("no_such_module", "No module named"),
        ("module_that_fails", "ZeroDivisionError: division by zero"),
        ("colorsys", "rename it"),
    ):
        file.write_text(f"import {name}\n")
        with pytest.raises(ImportError, match=f"own.gin: .*{name}.*{reason}") as failed:
            load_experiment(file, [])
        assert "\n" not in str(failed.value)


def test_the_names_of_an_imported_module_are_configurable(tmp_path: Path) -> None:
    """Classes, functions and objects; names that the module imported itself are not its own."""
    (tmp_path / "own_rows.py").write_text(
        "import gin\n"
        "from syntrans_l2l import ProtoNet\n"
        "class Special(ProtoNet): ...\n"
        "def made(): return ProtoNet('cosine')\n"
        "ready = ProtoNet('euclidean')\n"
        "_hidden = ProtoNet('euclidean')\n"
        "@gin.configurable\n"
        "def decorated(distance): return ProtoNet(distance)\n"
    )
    file = tmp_path / "own.gin"
    text = (
        "include 'datasets/features.gin'\nimport own_rows\nSpecial.distance = 'cosine'\n"
        "decorated.distance = 'cosine'\n"
        "ProtoNet.distance = 'euclidean'\n"
    )
    rows = {"own_rows.Special": "protonet_cosine", "made": "protonet_cosine", "ready": "protonet",
            "decorated": "protonet_cosine", "ProtoNet": "protonet"}  # fmt: skip
    file.write_text(text)
    for name, row in (*rows.items(), *rows.items()):  # a second time in one process too
        experiment = load_experiment(file, [f"Experiment.methods = [@{name}()]"])
        assert [each.method.name for each in experiment.rows] == [row]
    file.write_text("import own_rows\nExperiment.methods = [@own_rows._hidden()]\n")
    with pytest.raises(ValueError, match="_hidden"):
        load_experiment(file, [])


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_old_names_tell_the_new_one(old: str, tmp_path: Path) -> None:
    new, (name, _, argument) = RENAMED[old], old.partition(".")
    file = tmp_path / "own.gin"
    texts = [f"\nscope/{name}.{argument or 'parts'} = 1\n"]
    texts += [] if argument else [f"\nExperiment.methods = [@{old}(), @one/{old}()]\n"]
    for text in texts:
        file.write_text(text)
        with pytest.raises(ValueError, match=rf"{old} is called {new} now.*line 2"):
            load_experiment(file, [])
        with pytest.raises(ValueError, match=rf"{old} is called {new} now"):
            load_experiment(EXPERIMENTS[0], [text])
    file.write_text(f"{new} = 1\n" if argument else f"{new}.parts = 1\n")
    parse_file(file, [])  # the new one is known


def test_reading_leaves_the_working_directory_alone(tmp_path: Path) -> None:
    """No file is taken from where the command happens to run."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "mini.gin").write_text("this is no gin\n")
    script = (
        "from pathlib import Path\nfrom syntrans_l2l.experiment.config import load_dataset\n"
        f"print(load_dataset(Path({str(REPOSITORY / 'gin' / 'syntrans_mini.gin')!r}), []).name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == "mini_imagenet", done.stderr
