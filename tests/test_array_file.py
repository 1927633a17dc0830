"""Numbers and names as NumPy users bring them: taken, or refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import torch

from syntrans_l2l.array_file import as_labels, as_vectors, normal_name, read_arrays, read_texts


@pytest.mark.parametrize(
    "kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">i4", ">u2", ">f8"]
)
def test_labels_of_any_type(kind: str) -> None:
    labels = as_labels(np.array([2, 0, 1]).astype(kind))
    assert labels.dtype == torch.int64 and labels.tolist() == [2, 0, 1]


def test_labels_in_any_container() -> None:
    given = ([2, 0], (2.0, 0.0), torch.tensor([2, 0], dtype=torch.uint16), [np.int8(2), np.uint(0)],
             [torch.tensor(2), 0], torch.tensor([2.0, 0.0]).half())  # fmt: skip
    for values in given:
        assert as_labels(values).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5, 1.0], "labels are not whole numbers, but torch.float64"),
        ([np.nan, 1.0], "labels are not whole numbers"),
        ([True, False], "labels must be one list of integers, got torch.bool"),
        ([1j, 0], "one list of integers, got torch.complex128"),
        ([[0, 1]], r"one list of integers, got torch.int64 \[1, 2\]"),
        (3, r"one list of integers, got torch.int64 \[\]"),
        (["a", "b"], "labels are no numbers"),
        ([[0], [1, 2]], "labels are no numbers"),
        (None, "labels are no numbers"),
        (np.array([None, 1]), "labels are no numbers"),
        ([2**70], "labels are no numbers"),
        (np.array([2**64 - 1], "u8"), "labels are beyond 64 bits"),
        ([1e30], "labels are beyond 64 bits"),
    ],
)
def test_what_is_no_label(values: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        as_labels(values)
    assert "\n" not in str(error.value)


def test_vectors_of_any_width() -> None:
    for kind in (torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.uint8):
        vectors = as_vectors(torch.ones(2, 3, dtype=kind), "features")
        assert vectors.dtype == torch.float32 and vectors.sum() == 6
    for kind in (torch.bool, torch.complex64):
        with pytest.raises(ValueError, match="features must be real numbers"):
            as_vectors(torch.ones(2, 3, dtype=kind), "features")


def test_names_are_composed_and_bytes_are_text(tmp_path: Path) -> None:
    assert normal_name("cafe\u0301") == "caf\u00e9"
    path = tmp_path / "v.npz"
    for names in (["cafe\u0301", "b"], np.array(["caf\u00e9".encode(), b"b"])):
        np.savez(path, class_names=names, vectors=np.ones((2, 2), ">f8"))
        tensors, lists = read_arrays(path, ["vectors"], ["class_names"], form="form")
        assert lists["class_names"] == ["caf\u00e9", "b"] and tensors["vectors"].sum() == 4


def test_texts_are_single_and_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    np.savez(path, name="my\n data ", encoder=[1, 2])
    assert read_texts(path, ["name", "none"]) == {"name": "my data"}
    with pytest.raises(ValueError, match=r"v\.npz cannot be read"):
        read_texts(path, ["encoder"])
