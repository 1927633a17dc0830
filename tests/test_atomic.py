from pathlib import Path

import pytest

from syntrans_l2l.atomic import atomic


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    with atomic(path) as partial:
        partial.write_text("one")
        assert not path.exists() and partial.suffix == ".partial"
    assert path.read_text() == "one"
    with pytest.raises(ZeroDivisionError), atomic(path) as partial:
        partial.write_text("half of t")
        raise ZeroDivisionError
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_files_of_one_stem_do_not_share_a_partial(tmp_path: Path) -> None:
    with atomic(tmp_path / "bank.json") as one, atomic(tmp_path / "bank.safetensors") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "bank.json").read_text() == "1"
