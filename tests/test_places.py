import re
from pathlib import Path

import pytest
from common import REPOSITORY

from syntrans_l2l.episodes.tasks import semantic_tasksets
from syntrans_l2l.places import Places, file_name


def test_what_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNTRANS_DATA", raising=False)
    monkeypatch.delenv("SYNTRANS_CACHE", raising=False)
    home = Path("~/data").expanduser()
    assert Places.of() == Places(home, home / "syntrans_cache")
    monkeypatch.setenv("SYNTRANS_DATA", str(tmp_path / "data"))
    assert Places.of() == Places(tmp_path / "data", tmp_path / "data" / "syntrans_cache")
    monkeypatch.setenv("SYNTRANS_CACHE", str(tmp_path / "cache"))
    assert Places.of() == Places(tmp_path / "data", tmp_path / "cache")
    assert Places.of(tmp_path) == Places(tmp_path, tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    assert Places.of("here").root == tmp_path / "here"  # holds after a change of folder


def test_tasksets_keep_their_images_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTRANS_CACHE", str(tmp_path / "cache"))
    seen = []

    class NotedError(Exception):
        pass

    def load(self: object, root: Path, cache: object, progress: object = None) -> None:
        seen.append((root, cache.root))  # type: ignore[attr-defined]
        raise NotedError

    monkeypatch.setattr("syntrans_l2l.datasets.generated.Generated.load", load)
    for given, root in ((tmp_path / "data", tmp_path / "data"), (None, tmp_path / "own")):
        monkeypatch.setenv("SYNTRANS_DATA", str(tmp_path / "own"))
        with pytest.raises(NotedError):
            semantic_tasksets("generated", root=given)
        assert seen.pop() == (root, tmp_path / "cache")


def test_one_file_reads_these_variables() -> None:
    readers = [
        path.relative_to(REPOSITORY).as_posix()
        for folder in ("syntrans_l2l", "benchmarks")
        for path in (REPOSITORY / folder).rglob("*.py")
        if re.search(r"environ.*SYNTRANS_", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["syntrans_l2l/places.py"]


def test_names_become_one_part_of_a_path(tmp_path: Path) -> None:
    texts = ("cifar_fs", "a/b", "a\\b", "a_b", "../up", "..", ".", "", "/abs", "a:b", "a\nb",
             "größe", "名前", "x" * 300, " end. ", "nul\0")  # fmt: skip
    names = [file_name(text) for text in texts]
    assert names[0] == "cifar_fs" and file_name("größe 2") == "größe 2"
    assert len({name.casefold() for name in names}) == len(texts)
    for name in names:
        (tmp_path / name).write_text("x")
        assert (tmp_path / name).parent == tmp_path
    assert len(list(tmp_path.iterdir())) == len(texts)
