"""A function as a row: against ours, in error, and through the command."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import fails_with, records, run
from common import accuracies_of, episodes_of
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.class_vectors import centred_vectors
from syntrans_l2l.methods.function_row import FunctionRow, row
from syntrans_l2l.methods.protonet import ProtoNet

SIZE: dict[str, Any] = {"ways": 5, "shots": 1}


@row
def nearest_mean(support: Tensor, query: Tensor) -> Tensor:
    return -torch.cdist(query, support.mean(2))


@row(uses_text=True, name="named", title="Named (ours)", is_transductive=True)
def by_text(support: Tensor, query: Tensor, text: Tensor) -> Tensor:
    return query[..., :4] @ text.mT


@pytest.mark.parametrize("shots", [1, 3])
def test_a_function_of_the_mean_is_protonet(arena: Arena, shots: int) -> None:
    validation, test = (episodes_of(arena.data, s, 300, shots) for s in ("validation", "test"))
    mine, ours = (m.prepare(arena, validation).predict for m in (nearest_mean, ProtoNet()))
    assert torch.equal(accuracies_of(mine, test), accuracies_of(ours, test))
    assert nearest_mean(*(torch.ones(1, 5, 1, 2), torch.ones(1, 3, 2))).shape == (1, 3, 5)


def test_text_is_that_of_other_rows(arena: Arena) -> None:
    assert arena.semantics is not None
    test = episodes_of(arena.data, "test", 30)
    vectors = centred_vectors(arena.data, arena.semantics, arena.device)["test"]
    expected = torch.stack([
        arena.features["test"][query.flatten()][:, :4] @ F.normalize(vectors[ids], dim=-1).T
        for query, ids in zip(test.query, test.class_ids, strict=True)
    ])  # fmt: skip
    torch.testing.assert_close(by_text.prepare(arena, test).predict(test), expected)


def test_what_a_row_declares() -> None:
    assert isinstance(nearest_mean, FunctionRow)
    assert (nearest_mean.name, nearest_mean.title) == ("nearest_mean", "Nearest mean")
    assert not (nearest_mean.uses_text or nearest_mean.is_transductive or nearest_mean.selects)
    assert (by_text.name, by_text.title) == ("named", "Named (ours)")
    assert by_text.uses_text and by_text.is_transductive and by_text.uses_base_classes
    nearest_mean.check({}, **SIZE)
    by_text.check({}, **SIZE)


def raises_a_key_error(support: Tensor, query: Tensor) -> Tensor:
    lost: dict[str, Tensor] = {}
    return lost["weights"]


def one_way_too_many(support: Tensor, query: Tensor) -> Tensor:
    return query.new_zeros(len(query), query.shape[1], support.shape[1] + 1)


def gives_numpy(support: Tensor, query: Tensor) -> Any:
    return query.numpy()


def needs_two_shots(support: Tensor, query: Tensor) -> Tensor:
    return query @ (support.mean(2) / support.std(2)).mT


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raises_a_key_error, r"failed: KeyError: 'weights' \(.*test_function_row.py, line \d+\)$"),
        (one_way_too_many, r"must return logits .* = \[2, 15, 5\], got \[2, 15, 6\]$"),
        (gives_numpy, r"must return a tensor, got ndarray$"),
        (needs_two_shots, r"not finite for random features at 1 shots$"),
    ],
)
def test_a_bad_function_is_found_before_any_work(
    function: Callable[..., Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=rf"^row {function.__name__} .*{message}"):
        row(function).check({}, **SIZE)


def test_a_function_that_wants_its_own_width_is_asked_with_it(arena: Arena) -> None:
    weight = torch.eye(24)

    @row
    def projected(support: Tensor, query: Tensor) -> Tensor:
        return (query @ weight) @ (support.mean(2) @ weight).mT

    projected.check({}, **SIZE)
    test = episodes_of(arena.data, "test", 3)
    assert projected.prepare(arena, test).predict(test).shape == (3, 25, 5)
    weight = torch.eye(7)
    with pytest.raises(ValueError, match=r"^row projected failed: RuntimeError: .*, line \d+\)$"):
        projected.prepare(arena, test).predict(test)


def test_settings_know_the_values_that_a_function_names() -> None:
    """Red before: only the code counted, so another k found the record of the first."""

    def made(k: int) -> FunctionRow:
        @row
        def nearest(support: Tensor, query: Tensor) -> Tensor:
            return query @ support[:, :, :k].mean(2).mT

        return nearest

    def shrunk(support: Tensor, query: Tensor, by: float) -> Tensor:
        return by * query @ support.mean(2).mT

    assert made(1).settings() == made(1).settings() != made(2).settings()
    half, third = (row(name="s")(partial(shrunk, by=by)) for by in (0.5, 0.3))
    assert half.settings() != third.settings()
    with pytest.raises(TypeError, match=r"has no name: write row\(name=...\)"):
        row(partial(shrunk, by=0.5))


def test_parameters_that_contradict_the_flag() -> None:
    with pytest.raises(TypeError, match=r"^row by_text: .*\(support, query\), got .*uses_text=Tr"):
        row(by_text.function)
    with pytest.raises(TypeError, match=r"^row nearest_mean: .*\(support, query, text\), got"):
        row(uses_text=True)(nearest_mean.function)

    def optional(support: Tensor, query: Tensor, text: Tensor | None = None) -> Tensor:
        return query

    with pytest.raises(TypeError, match="takes text, and the row does not declare it"):
        row(optional)


def test_an_own_row_through_the_command_follows_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module outside the repository, edited between two runs into one folder."""
    generator = np.random.default_rng(0)
    names = [f"class {number}" for number in range(18)]
    labels = np.repeat(np.arange(18), 20)
    centres = generator.normal(size=(18, 8))
    np.savez(
        tmp_path / "features.npz",
        features=centres[labels] + generator.normal(size=(360, 8)),
        labels=labels,
        class_names=names,
        split=["train"] * 6 + ["val"] * 6 + ["test"] * 6,
    )
    np.savez(tmp_path / "vectors.npz", class_names=names, vectors=centres)
    module, file = tmp_path / "own_rows.py", tmp_path / "own.gin"
    module.write_text(
        "import syntrans_l2l as sl\n\n@sl.row(uses_text=True)\n"
        "def blended(support, query, text):\n"
        "    return query @ (support.mean(2) + 0.0 * text).mT\n"
    )
    file.write_text(
        "import own_rows\n"
        f"FeatureBenchmark.path = {str(tmp_path / 'features.npz')!r}\n"
        "Experiment.dataset = @FeatureBenchmark()\n"
        "Experiment.text_encoder = @class_vectors()\n"
        f"class_vectors.vectors = {str(tmp_path / 'vectors.npz')!r}\n"
        "class_vectors.sentence_encoder = ''\n"
        "Experiment.methods = [@ProtoNet(), @blended()]\n"
        "Experiment.reference = 'protonet'\nExperiment.shots = (1,)\n"
        "Experiment.episodes = 200\nExperiment.validation_episodes = 10\n"
        "Experiment.queries = 5\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    for edit in ("+ 0.0 *", "+ 1.0 *"):
        module.write_text(module.read_text().replace("+ 0.0 *", edit))
        result = run(tmp_path, tmp_path / "out", file=file)
        assert result.returncode == 0, result.stderr
    found = [each for each in records(tmp_path / "out") if each["method"] == "blended"]
    assert len(found) == 2 and found[0]["accuracy"] < found[1]["accuracy"] - 5
    assert found[0]["uses_text"] and json.dumps(found[0]["selected"]) == "{}"

    module.write_text(module.read_text().replace("return query", "return missing"))
    fails_with("row blended failed: NameError", run(tmp_path, tmp_path / "out", file=file))
