"""The baselines on features, each against its published formula written out by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from common import SEMANTIC, VISUAL, episodes_of
from torch import Tensor

from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.evaluation.evaluate import stream_accuracies
from syntrans_l2l.methods.am3 import Am3
from syntrans_l2l.methods.base import Arena, Predictor
from syntrans_l2l.methods.class_vectors import ridge_weights
from syntrans_l2l.methods.ktn import Ktn
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.methods.semfew import SemFew
from syntrans_l2l.methods.simpleshot import SimpleShot
from syntrans_l2l.methods.tip_adapter import TipAdapter
from syntrans_l2l.methods.zero_shot import ZeroShot
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.training.bridge import BridgeTraining

SHOTS = 3
LEARNERS: list[Any] = [
    ZeroShot(shared_space=False),
    TipAdapter(shared_space=False),
    Ktn(),
    Am3(hidden=64, steps=(50, 200)),
    SemFew(training=BridgeTraining(hidden=64, epochs=30, batch_size=64, both_ways=False)),
]


@pytest.fixture
def shared(arena: Arena) -> Arena:
    """The arena with class vectors of the features' width."""
    names = arena.data.class_names
    vectors = torch.randn(len(names), VISUAL, generator=torch.Generator().manual_seed(5))
    bank = SemanticBank(names, vectors, "shared")
    return replace(arena, semantics=bank, aligned_text=bank)


def prepared(method: Any, arena: Arena) -> Predictor:
    predictor = method.prepare(arena, episodes_of(arena.data, "validation", shots=SHOTS))
    assert isinstance(predictor, Predictor)
    return predictor


def unit(x: Tensor) -> Tensor:
    return x / (x * x).sum(-1, keepdim=True).sqrt()


def centred(arena: Arena) -> tuple[Tensor, Tensor]:
    """Centred class vectors of the base and of the test classes."""
    assert arena.semantics is not None
    vectors = unit(arena.semantics.vectors)
    base = vectors[: len(arena.data.train.class_names)]
    return unit(base - base.mean(0)), unit(vectors[-6:] - base.mean(0))


def base_centres(arena: Arena) -> Tensor:
    z, labels = unit(arena.features["train"]), arena.data.train.labels
    return torch.stack([unit(z[labels == c].mean(0)) for c in range(12)])


def ridge(arena: Arena, penalty: float) -> Tensor:
    """Test weights by least squares on the system with sqrt(penalty) I below it."""
    base, novel = centred(arena)
    centres = base_centres(arena)
    above = torch.cat([base, penalty**0.5 * torch.eye(SEMANTIC)])
    below = torch.cat([centres - centres.mean(0), torch.zeros(SEMANTIC, VISUAL)])
    solution: Tensor = torch.linalg.lstsq(above, below).solution
    return unit(centres.mean(0) + novel @ solution)


def perceptron(layers: Any, x: Tensor) -> Tensor:
    """Linear, LeakyReLU 0.2, linear."""
    first, _, _, last = layers
    hidden = x @ first.weight.T + first.bias
    out: Tensor = torch.where(hidden > 0, hidden, 0.2 * hidden) @ last.weight.T + last.bias
    return out


def by_hand(
    arena: Arena, episodes: Episodes, formula: Callable[[Tensor, Tensor, Tensor], Any]
) -> Tensor:
    """`formula(support [N, K, D], queries [N * Q, D], class_ids [N])`, one episode at a time."""
    z = unit(arena.features["test"])
    return torch.stack([
        formula(z[support], z[query].flatten(0, 1), ids)
        for support, query, ids in zip(
            episodes.support, episodes.query, episodes.class_ids, strict=True
        )
    ])  # fmt: skip


def chosen(predictor: Predictor) -> dict[str, Any]:
    values = predictor.selected["values"]
    assert isinstance(values, dict)
    return values


def test_simpleshot(arena: Arena) -> None:
    test = episodes_of(arena.data, "test", 20, SHOTS)
    z = unit(arena.features["test"] - arena.features["train"].mean(0))
    actual = prepared(SimpleShot(), arena).predict(test)
    for e in range(len(test)):
        means = torch.stack([z[test.support[e, n]].mean(0) for n in range(5)])
        query = z[test.query[e].flatten()]
        expected = -((query[:, None] - means[None]) ** 2).sum(-1)
        torch.testing.assert_close(actual[e], expected, rtol=1e-4, atol=1e-5)


def test_zero_shot(shared: Arena) -> None:
    test = episodes_of(shared.data, "test", 20, SHOTS)
    assert shared.semantics is not None
    vectors = unit(shared.semantics.vectors[-6:])
    expected = by_hand(shared, test, lambda s, q, ids: q @ vectors[ids].T)
    torch.testing.assert_close(prepared(ZeroShot(), shared).predict(test), expected)


def test_the_ridge_is_least_squares(arena: Arena) -> None:
    for penalty in (0.1, 1.0, 10.0):
        weights = ridge_weights(arena, "ridge", penalty)["test"]
        torch.testing.assert_close(weights, ridge(arena, penalty), rtol=1e-3, atol=1e-4)
    method = ZeroShot(shared_space=False)
    test, predictor = episodes_of(arena.data, "test", 20, SHOTS), prepared(method, arena)
    weights = ridge(arena, chosen(predictor)["penalty"])
    expected = by_hand(arena, test, lambda s, q, ids: q @ weights[ids].T)
    torch.testing.assert_close(predictor.predict(test), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shared_space", [True, False])
def test_tip_adapter(shared: Arena, arena: Arena, shared_space: bool) -> None:
    place = shared if shared_space else arena
    test = episodes_of(place.data, "test", 20, SHOTS)
    predictor = prepared(TipAdapter(shared_space=shared_space), place)
    values = chosen(predictor)
    assert shared.semantics is not None
    text = unit(shared.semantics.vectors[-6:]) if shared_space else ridge(place, values["penalty"])

    def formula(support: Tensor, query: Tensor, ids: Tensor) -> Any:
        keys, one_hot = support.flatten(0, 1), torch.eye(5).repeat_interleave(SHOTS, dim=0)
        cache = torch.exp(-values["beta"] * (1 - query @ keys.T)) @ one_hot
        return values["alpha"] * cache + 100 * query @ text[ids].T

    expected = by_hand(place, test, formula)
    torch.testing.assert_close(predictor.predict(test), expected, rtol=1e-3, atol=1e-2)


def test_ktn(arena: Arena) -> None:
    test, predictor = episodes_of(arena.data, "test", 20, SHOTS), prepared(Ktn(), arena)
    values = chosen(predictor)
    assert values["lambda"] > 0
    knowledge = ridge(arena, values["penalty"])

    def formula(support: Tensor, query: Tensor, ids: Tensor) -> Any:
        return query @ unit(support.mean(1)).T + values["lambda"] * query @ knowledge[ids].T

    expected = by_hand(arena, test, formula)
    torch.testing.assert_close(predictor.predict(test), expected, rtol=1e-3, atol=1e-4)


def test_am3(arena: Arena) -> None:
    method = LEARNERS[3]
    test, predictor = episodes_of(arena.data, "test", 20, SHOTS), prepared(method, arena)
    base, novel = centred(arena)
    size = episodes_of(arena.data, "validation", 2, SHOTS)
    network: Any = method._networks(arena, torch.zeros(1, VISUAL), base, size)[
        chosen(predictor)["steps"]
    ]

    def formula(support: Tensor, query: Tensor, ids: Tensor) -> Any:
        w = perceptron(network.transform.layers, novel[ids])
        share = 1 / (1 + torch.exp(-perceptron(network.gate.layers, w)))
        prototypes = share * support.mean(1) + (1 - share) * w
        return -network.scale * ((query[:, None] - prototypes[None]) ** 2).sum(-1)

    expected = by_hand(arena, test, formula)
    torch.testing.assert_close(predictor.predict(test), expected, rtol=1e-3, atol=1e-3)


def test_semfew(arena: Arena) -> None:
    method = LEARNERS[4]
    test, predictor = episodes_of(arena.data, "test", 20, SHOTS), prepared(method, arena)
    base, novel = centred(arena)
    aligned: Any = method._aligned(arena, torch.zeros(1, VISUAL), base)
    k = chosen(predictor)["k"]
    assert 0 < k < 1

    def formula(support: Tensor, query: Tensor, ids: Tensor) -> Any:
        u = support.mean(1)
        made = perceptron(aligned.semantic_to_visual.layers, torch.cat([novel[ids], u], dim=-1))
        return query @ unit(k * unit(made) + (1 - k) * unit(u)).T

    expected = by_hand(arena, test, formula)
    torch.testing.assert_close(predictor.predict(test), expected, rtol=1e-3, atol=1e-4)
    # h has learned what its loss asks for: the centres of the base classes
    z, labels = unit(arena.features["train"]), arena.data.train.labels
    made = perceptron(aligned.semantic_to_visual.layers, torch.cat([base[labels], z], dim=-1))
    assert ((unit(made) @ base_centres(arena).T).argmax(-1) == labels).float().mean() > 0.9


@pytest.mark.parametrize("method", LEARNERS, ids=lambda method: method.name)
def test_selection_sees_validation_only(arena: Arena, method: Any) -> None:
    before = prepared(method, arena).selected
    noise = torch.randn(arena.features["test"].shape, generator=torch.Generator().manual_seed(9))
    features = {**arena.features, "test": noise}
    assert prepared(method, replace(arena, features=features)).selected == before
    assert before["split"] == "validation" and method.selects
    grid: Any = before["grid"]
    assert all(value in grid[name] for name, value in chosen(prepared(method, arena)).items())


@pytest.mark.parametrize("method", LEARNERS, ids=lambda method: method.name)
def test_text_helps_where_it_explains_the_features(arena: Arena, method: Any) -> None:
    test = episodes_of(arena.data, "test")
    validation = episodes_of(arena.data, "validation")
    rows = {"ours": method, "protonet": ProtoNet("cosine")}
    predicts = {name: row.prepare(arena, validation).predict for name, row in rows.items()}
    found = stream_accuracies(predicts, [test])
    assert found["ours"].mean() > found["protonet"].mean() + 3
    assert method.uses_text and not method.is_transductive and not method.uses_teacher_images


def test_a_shared_space_is_checked(arena: Arena, shared: Arena) -> None:
    for method in (ZeroShot(), TipAdapter()):
        with pytest.raises(ValueError, match=r"width 24.*width 4.*shared_space = False"):
            prepared(method, replace(arena, aligned_text=arena.semantics))
        with pytest.raises(ValueError, match=r"shares no space with a text: .*'distilled'"):
            prepared(method, replace(shared, aligned_text=None))  # the widths agree by chance
        prepared(method, replace(shared, semantics=None))  # the text of the space is enough
    for each in LEARNERS:
        with pytest.raises(ValueError, match="needs class vectors"):
            prepared(each, replace(arena, semantics=None))


@pytest.mark.parametrize("name", ["am3.train_am3", "semfew.fit_bridge"])
def test_a_second_preparation_trains_nothing(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    method, test = LEARNERS[3 if "am3" in name else 4], episodes_of(arena.data, "test", 20, SHOTS)
    first = prepared(method, arena).predict(test)
    monkeypatch.delattr(f"syntrans_l2l.methods.{name}")
    assert torch.equal(prepared(method, arena).predict(test), first)
