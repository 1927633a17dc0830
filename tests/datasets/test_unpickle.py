import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import dump

from syntrans_l2l.datasets.unpickle import text, unpickle

CONTENT: dict[str, Any] = {
    "data": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3),
    "labels": [3, 1],
    "names": ["sea", "ray"],
    "more": {"set": {1}, "ordered": OrderedDict(a=1), "scalar": np.int64(4), "bytes": b"\xff"},
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_and_containers_come_back(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "file").write_bytes(pickle.dumps(CONTENT, protocol))
    read = unpickle(tmp_path / "file")
    assert isinstance(read, dict)
    np.testing.assert_array_equal(read["data"], CONTENT["data"])
    assert {**read, "data": 0} == {**CONTENT, "data": 0}


def test_pickles_of_python_2(tmp_path: Path) -> None:
    dump(tmp_path / "file", CONTENT, python2=True)
    with pytest.raises(UnicodeDecodeError):  # as the plain unpickler's default fails on them
        pickle.loads((tmp_path / "file").read_bytes())
    read = unpickle(tmp_path / "file")
    assert isinstance(read, dict)
    np.testing.assert_array_equal(read["data"], CONTENT["data"])
    assert read["data"].dtype == np.uint8
    assert [text(name) for name in read["names"]] == ["sea", "ray"]
    assert read["more"]["scalar"] == 4


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_is_refused(tmp_path: Path, protocol: int) -> None:
    trap = tmp_path / "trap"
    hidden = pickle.dumps({**CONTENT, "hidden": [np.array([Hostile(trap)])]}, protocol)
    (tmp_path / "file").write_bytes(hidden)
    with pytest.raises(ValueError, match=r"file is refused: it asks for (posix|nt)\.mkdir"):
        unpickle(tmp_path / "file")
    assert not trap.exists()
    pickle.loads(hidden)  # the trap does work
    assert trap.is_dir()


def test_an_array_of_raw_addresses_is_refused(tmp_path: Path) -> None:
    """`numpy.ndarray` itself, called, would take eight bytes of the file for a pointer."""
    call = b"cnumpy\nndarray\n(K\x01\x85X\x01\x00\x00\x00OC\x08\x01\x00\x00\x00\x00\x00\x00\x00tR."
    assert isinstance(pickle.loads(call), np.ndarray)  # the plain unpickler makes it
    (tmp_path / "file").write_bytes(call)
    with pytest.raises(ValueError, match="file is refused"):
        unpickle(tmp_path / "file")


def test_what_is_no_pickle_is_refused(tmp_path: Path) -> None:
    whole = pickle.dumps(CONTENT)
    for content in (
        b"",
        b"<!DOCTYPE html><html>",
        whole[: len(whole) // 2],
        b"c__builtin__\neval\n.",
    ):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(ValueError, match=r"file is refused: .*fetch the file anew"):
            unpickle(tmp_path / "file")
