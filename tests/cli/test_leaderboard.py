"""The command line from records to files, and what it does with bad ones."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from common import REPOSITORY
from synthetic import add, right_answers, small_run

from syntrans_l2l.cli.leaderboard import main
from syntrans_l2l.reporting.published import published
from syntrans_l2l.reporting.readme import END, RESULTS, refreshed

NASTY = r"50% & <b>{x}_y$ \ #1"


def test_all_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_run(tmp_path / "run")
    out = tmp_path / "out"
    assert main([str(tmp_path / "run"), "--out", str(out), "--against", "syntrans"]) == 0
    assert {path.name for path in out.iterdir()} == {
        "table.md", "table.tex", "table.csv", "table_2.csv", "report.html", "figures",
    }  # fmt: skip
    assert {path.name for path in (out / "figures").iterdir()} == {
        f"cifar_fs_{name}.{kind}" for name in ("rows", "alpha", "weights", "classes")
        for kind in ("png", "pdf")
    }  # fmt: skip
    printed = capsys.readouterr().out
    table = (out / "table.md").read_text()
    for row in ("protonet_cosine", "syntrans", "twin"):
        assert row in printed and f"| {row} |" in table
    # the twin differs from the best by an answer in 200 episodes: both are bold, both rank 1.5
    assert len(re.findall(r"\*\*79\.\d\d ± 0\.\d\d\*\*", table)) == 2
    assert table.count("| 1.5 |") == 2 and table.count("| 3.0 |") == 1
    assert "quoted" in table and "SEGA † S8" in table


def test_a_table_that_lacks_the_row_is_no_obstacle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(small_run(tmp_path / "run"), dataset="generated", method="alone", seed=1)
    chosen = ["--out", str(tmp_path / "out"), "--csv", "--against", "syntrans"]
    assert main([str(tmp_path / "run"), *chosen]) == 0
    assert "alone" in capsys.readouterr().out


def test_formats_by_name_backbones_and_details(tmp_path: Path) -> None:
    small_run(tmp_path / "run")
    out = tmp_path / "out"
    chosen = ["--markdown", "--details", "--backbones", "ResNet-12"]
    assert main([str(tmp_path / "run"), "--out", str(out), *chosen]) == 0
    assert [path.name for path in out.iterdir()] == ["table.md"]
    table = (out / "table.md").read_text()
    assert "RENet" in table and "Visformer" not in table
    assert "| minus protonet_cosine |" in table and "+7.50 ± 0.20" in table
    assert "1-shot: alpha 0.4, b 0.1; 5-shot: alpha 0.4, b 0.1" in table
    assert main([str(tmp_path / "run"), "--out", str(out), "--markdown", "--backbones"]) == 0
    assert "†" not in (out / "table.md").read_text()


def published_file(path: Path, **changes: object) -> str:
    row = {
        "dataset": "cifar_fs", "method": "Mine", "backbone": "Conv9",
        "accuracies": {"1": "61.5 ± 0.7"}, "source": "M1", **changes,
    }  # fmt: skip
    path.write_text(json.dumps({"sources": {"M1": "my own paper"}, "rows": [row]}))
    return str(path)


def test_quoted_rows_of_ones_own(tmp_path: Path) -> None:
    small_run(tmp_path / "run")
    out = tmp_path / "out"
    chosen = ["--markdown", "--published", published_file(tmp_path / "mine.json")]
    assert main([str(tmp_path / "run"), "--out", str(out), *chosen]) == 0
    table = (out / "table.md").read_text(encoding="utf-8")
    assert "| Mine † M1 | 61.5 ± 0.7 | – |" in table and "M1 my own paper" in table
    assert main([str(tmp_path / "run"), "--out", str(out), *chosen, "--backbones", "Conv9"]) == 0
    assert (out / "table.md").read_text(encoding="utf-8").count("†") == 2  # row and caption
    noted = published_file(tmp_path / "noted.json", note="on a validation set of mine")
    arguments = ["--markdown", "--published", noted, "--out", str(out)]
    assert main([str(tmp_path / "run"), *arguments]) == 0
    assert "; Mine on cifar_fs: on a validation set of mine." in (out / "table.md").read_text(
        encoding="utf-8"
    )


def test_latex_columns_and_citations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_run(tmp_path / "run")
    out = tmp_path / "out"
    chosen = ["--latex", "--cite", "--columns", "accuracy", "difference"]
    assert main([str(tmp_path / "run"), "--out", str(out), *chosen]) == 0
    table = (out / "table.tex").read_text(encoding="utf-8")
    assert r"syntrans~\cite{tang2025syntrans} & " in table
    assert "difference" in table and "teacher" not in table
    cited = set(re.findall(r"\\cite\{(\w+)\}", table))
    entries = re.findall(r"^@\w+\{(\w+),", (out / "references.bib").read_text("utf-8"), re.M)
    assert cited == set(entries) and {"tang2025syntrans", "lee2019metaoptnet"} <= cited
    assert main([str(tmp_path / "run"), "--out", str(out), "--latex", "--columns", "x"]) == 2
    assert "no column x of tables; known: accuracy" in capsys.readouterr().err


def test_image_towers_stand_below_a_rule_of_their_own(tmp_path: Path) -> None:
    small_run(tmp_path / "run")
    assert main([str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--markdown"]) == 0
    table = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    measured, quoted, towers = table.split("|  |")[0], *re.split(r"\n\|(?:  \|)+\n", table)[1:]
    assert "SemFew † S20" in quoted and "CLIP, ProtoNet † S21" in towers
    assert "CLIP, ProtoNet" not in measured + quoted and "Visformer" not in towers
    assert "Below the last rule: image tower pre-trained at scale." in measured


def test_duplicates_are_listed_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = small_run(tmp_path / "run")
    late = add(store, right_answers(0.9, 600), finished="2026-03-01T00:00:00+00:00")
    arguments = [str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--csv"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert f"{late.accuracy:.2f}" in printed and "1 older records" in printed
    assert main([*arguments, "--duplicates"]) == 0
    assert "older: syntrans, cifar_fs 1-shot, 69.93" in capsys.readouterr().out


def test_bad_records_leave_the_rest_of_the_table_intact(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path), "--out", str(tmp_path / "out")]
    formats = ["--markdown", "--latex", "--csv"]
    store = small_run(tmp_path)
    assert main([*arguments, *formats]) == 0
    clean = capsys.readouterr().out
    whole = json.loads(store.path.read_text().splitlines()[0])
    with store.path.open("a") as file:
        file.write(json.dumps({**whole, "schema": 1}) + "\n")
        file.write(json.dumps({**whole, "accuracy": float("nan")}) + "\n")
        file.write(json.dumps(whole)[:100])
    assert main([*arguments, *formats]) == 0
    captured = capsys.readouterr()
    assert captured.out == clean
    assert [f"results.jsonl:{n}" in captured.err for n in (7, 8, 9, 10)] == [True] * 3 + [False]
    add(store, method=NASTY)
    assert main([*arguments, *formats]) == 0
    assert r"50\% \& \textless{}b\textgreater{}" in (tmp_path / "out" / "table.tex").read_text()
    assert "&lt;b&gt;" in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty"], "no results.jsonl in or below"),
        (["run", "--against", "syntranz"], "no row is called 'syntranz'; choose one of"),
        (["run", "--backbones", "ResNet12"], "no published row has the backbone 'ResNet12'"),
        (["run", "--published", "none.json"], "no published rows at none.json"),
        (["run", "--published", "number.json"], "72 at 1 shots is not like"),
        (["run", "--published", "source.json"], "Mine has no source M2"),
        (["run", "--published", "run/results.jsonl"], "published rows are JSON such as"),
        (["broken"], "no usable record"),
        (["run", "--readme", "run/results.jsonl"], "no block to refresh"),
    ],
)
def test_mistakes_give_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    small_run(tmp_path / "run")
    published_file(tmp_path / "number.json", accuracies={"1": 72})
    published_file(tmp_path / "source.json", source="M2")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "results.jsonl").write_text("{")
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]


def test_help_is_light() -> None:
    script = REPOSITORY / "benchmarks" / "leaderboard.py"
    code = (
        f"import sys, runpy; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'matplotlib', 'sklearn', 'gin', 'rich'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "--against ROW" in result.stdout


def test_the_readme_block_is_replaced_and_nothing_else() -> None:
    text = f"before\n{RESULTS}\nold\n{END}\nafter\n"
    new = refreshed(text, RESULTS, "| new |\n")
    assert new == f"before\n{RESULTS}\n\n| new |\n\n{END}\nafter\n"
    assert refreshed(new, RESULTS, "| new |") == new
    for broken in ("nothing", RESULTS, f"{END} {RESULTS}", f"{RESULTS}{RESULTS}{END}"):
        with pytest.raises(ValueError, match="no block to refresh"):
            refreshed(broken, RESULTS, "")


def make_results() -> list[list[str]]:
    """The arguments that `make results` gives, page by page."""
    lines = re.findall(r"benchmarks/leaderboard\.py (.*)", (REPOSITORY / "Makefile").read_text())
    return [shlex.split(line) for line in lines]


PAGES = {Path(arguments[-1]).name: arguments for arguments in make_results()}


@pytest.mark.parametrize("name", PAGES)
def test_make_results_refreshes_the_page(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small_run(tmp_path / PAGES[name][0] / "one")
    page = tmp_path / "docs" / name
    page.parent.mkdir()
    page.write_text(f"{RESULTS}\n{END}\n")
    assert main(PAGES[name]) == 0
    first = page.read_text()
    assert "| syntrans | " in first
    assert main(PAGES[name]) == 0
    assert page.read_text() == first
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_agrees_with_the_committed_records(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").symlink_to(REPOSITORY / "benchmarks")
    (tmp_path / "docs").mkdir()
    page, copy = REPOSITORY / "docs" / name, tmp_path / "docs" / name
    shutil.copy(page, copy)
    assert main(PAGES[name]) == 0
    agrees = copy.read_text() == page.read_text()
    assert agrees, f"docs/{name} disagrees with benchmarks/records: run make results"


def test_published_numbers_have_sources_and_leave_syntrans_out() -> None:
    content = json.loads((REPOSITORY / "syntrans_l2l/assets/published.json").read_text())
    assert len(content["rows"]) > 80
    for row in content["rows"]:
        assert set(row["source"].split(", ")) <= set(content["sources"]), row
        assert set(row["accuracies"]) <= {"1", "5"}, row
        for text in row["accuracies"].values():
            assert re.fullmatch(r"\d\d\.\d+( ± \d\.\d+)?", text), row
        assert "syntrans" not in row["method"].lower()
    assert "ResNet-12" in published().backbones
