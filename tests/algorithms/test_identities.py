"""The identities of the method: they hold whatever was learned."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l.algorithms.labelled_features import Aligned
from syntrans_l2l.algorithms.one_product import OneProduct
from syntrans_l2l.algorithms.parts import FittedParts
from syntrans_l2l.algorithms.scoring import Given, episode_scores, given_of, to_semantic
from syntrans_l2l.algorithms.syntrans import SynTrans
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.methods.protonet import cosine_predict
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix, fuse, fused_cosines
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.networks.whitening import WhitenedView

D, M, A, B = 12, 8, 7, 10


def make_classifier(
    *, learned: bool, attention: bool = True, visual_input: bool = True
) -> tuple[MultimodalClassifier, list[Bridge]]:
    torch.manual_seed(0)
    bridges = [Bridge(D, M, 16, condition_on_visual=visual_input).eval() for _ in range(3)]
    generator = VisualWeightGenerator(F.normalize(torch.randn(B, D), dim=-1), attention)
    reconstructor = SemanticWeightReconstructor(bridges, D, M, 16, residual=learned)
    classifier = MultimodalClassifier(generator, reconstructor)
    if learned:
        for parameter in classifier.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
    return classifier.eval(), bridges


@pytest.fixture
def features() -> Tensor:
    return F.normalize(torch.randn(60, D, generator=torch.Generator().manual_seed(1)), dim=-1)


@pytest.fixture
def semantics() -> Tensor:
    return F.normalize(torch.randn(6, M, generator=torch.Generator().manual_seed(2)), dim=-1)


def draw(shots: int = 3, queries: int = 4, count: int = 8) -> Episodes:
    """Episodes over 6 classes of 10 images each."""
    generator = torch.Generator().manual_seed(3)
    class_ids = torch.rand(count, 6, generator=generator).argsort(1)[:, :5]
    images = torch.rand(count, 5, 10, generator=generator).argsort(2) + 10 * class_ids[..., None]
    return Episodes(class_ids, images[..., :shots], images[..., shots : shots + queries])


@pytest.mark.parametrize("attention", [True, False])
def test_alpha_one_is_cosine_protonet_bit_for_bit(
    features: Tensor, semantics: Tensor, attention: bool
) -> None:
    classifier, bridges = make_classifier(learned=False, attention=attention)
    episodes = draw()
    given = Given(features, to_semantic(bridges, features), semantics)
    scores = episode_scores(classifier, given, episodes)
    prototypes = F.normalize(features[episodes.support].mean(2), dim=-1)
    expected = features[episodes.query].flatten(1, 2) @ prototypes.mT
    assert torch.equal(scores.logits(Mix(1.0)), expected)
    assert not torch.allclose(scores.logits(Mix(0.5)), expected)


def test_alpha_zero_without_the_visual_input_is_zero_shot(
    features: Tensor, semantics: Tensor
) -> None:
    episodes = draw()
    moved = Episodes(episodes.class_ids, episodes.support.flip(0), episodes.query)
    for visual_input in (False, True):
        classifier, bridges = make_classifier(learned=False, visual_input=visual_input)
        given = everything(bridges, features, semantics)
        same, other = (
            episode_scores(classifier, given, each).logits(Mix(0.0, 0.3))
            for each in (episodes, moved)
        )
        assert torch.equal(same, other) == (not visual_input)


def test_the_order_of_classes_does_not_matter(features: Tensor, semantics: Tensor) -> None:
    classifier, bridges = make_classifier(learned=True)
    given = everything(bridges, features, semantics)
    episodes, order = draw(), torch.tensor([3, 0, 4, 1, 2])
    permuted = Episodes(
        episodes.class_ids[:, order], episodes.support[:, order], episodes.query[:, order]
    )
    logits, other = (
        episode_scores(classifier, given, each)
        .logits(Mix(0.4, 0.2, 0.7, 3.0))
        .unflatten(1, (5, -1))
        for each in (episodes, permuted)
    )
    torch.testing.assert_close(logits[:, order][..., order], other)


def test_the_order_of_shots_does_not_matter(features: Tensor, semantics: Tensor) -> None:
    classifier, bridges = make_classifier(learned=True)
    given = everything(bridges, features, semantics)
    episodes = draw()
    permuted = Episodes(episodes.class_ids, episodes.support[:, :, [2, 0, 1]], episodes.query)
    logits, other = (
        episode_scores(classifier, given, each).logits(Mix(0.4, 0.2, 0.7, 3.0))
        for each in (episodes, permuted)
    )
    torch.testing.assert_close(logits, other)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.9, 1.0])
def test_scores_equal_the_cosine_to_the_fused_weight(features: Tensor, alpha: float) -> None:
    torch.manual_seed(4)
    visual, semantic = torch.randn(2, 7, 5, D)
    query = features[:20].expand(7, -1, -1)
    weight = fuse(visual, semantic, alpha)
    expected = torch.einsum("eqd,end->eqn", query, weight)
    actual = fused_cosines(query, visual, semantic).at(alpha)
    torch.testing.assert_close(actual, expected)


def whitened_view(semantic_dim: int = M) -> WhitenedView:
    """A view as if it were fitted: no buffer is what it starts with."""
    generator = torch.Generator().manual_seed(7)
    view = WhitenedView(D, semantic_dim)
    for name, buffer in view.named_buffers():
        setattr(view, name, buffer + 0.4 * torch.randn(buffer.shape, generator=generator))
    return view


def projection() -> nn.Module:
    """Into a space of another width than M, where images and text meet."""
    torch.manual_seed(8)
    return nn.Linear(D, A)


def everything(bridges: list[Bridge], features: Tensor, semantics: Tensor) -> Given:
    """All parts: bridge, whitened view and a shared space."""
    texts = torch.randn(len(semantics), A, generator=torch.Generator().manual_seed(9))
    aligned = Aligned(projection()(features), texts)
    return given_of(features, semantics, bridges=bridges, view=whitened_view(), aligned=aligned)


def plain_logits(
    classifier: MultimodalClassifier, given: Given, episodes: Episodes, mix: Mix
) -> Tensor:
    """The oracle of all forwards, a query and a class at a time: [E, N * Q, N]."""
    assert given.bridged is not None and given.vectors is not None
    assert given.whitened is not None and given.whitened.weights is not None
    assert given.aligned is not None and given.aligned.vectors is not None
    alpha, b, k, c = mix.alpha, mix.semantic_weight, mix.whitened_weight, mix.aligned_weight
    logits = torch.empty(len(episodes), episodes.ways * episodes.queries, episodes.ways)
    for e, (ids, support, query) in enumerate(
        zip(episodes.class_ids, episodes.support, episodes.query, strict=True)
    ):
        for n, class_id in enumerate(ids.tolist()):
            s = given.vectors[class_id]
            w_v, w_s = classifier.weights(given.features[support[n]][None, None], s[None, None])
            assert w_s is not None
            mixed = alpha * w_v / w_v.norm() + (1 - alpha) * w_s / w_s.norm()
            seen = given.whitened.features
            mean, of_text = seen[support[n]].mean(0), given.whitened.weights[class_id]
            there = alpha * mean / mean.norm() + (1 - alpha) * of_text / of_text.norm()
            for q, image in enumerate(query.flatten().tolist()):
                cosine = given.features[image] @ (mixed / mixed.norm()).flatten()
                logits[e, q, n] = (
                    cosine
                    + b * given.bridged[image] @ s
                    + k * seen[image] @ there / there.norm()
                    + c * given.aligned.features[image] @ given.aligned.vectors[class_id]
                )
    return logits


@pytest.mark.parametrize("shots", [1, 3])
@pytest.mark.parametrize(
    "mix",
    [Mix(0.0), Mix(0.3, 0.4), Mix(1.0, 0.2), Mix(1.0), Mix(0.4, 0.0, 0.7), Mix(1.0, 0.0, 5.0),
     Mix(0.6, 0.0, 0.0, 3.0), Mix(0.3, 0.4, 0.7, 3.0)],
)  # fmt: skip
@torch.no_grad()
def test_every_forward_is_the_plain_formula(
    features: Tensor, semantics: Tensor, shots: int, mix: Mix
) -> None:
    """The grid's scores, one product, the learn2learn algorithm and stage 4's own forward."""
    classifier, bridges = make_classifier(learned=True)
    given = everything(bridges, features, semantics)
    episodes = draw(shots, count=6)
    expected = plain_logits(classifier, given, episodes, mix)
    torch.testing.assert_close(episode_scores(classifier, given, episodes).logits(mix), expected)
    classify = OneProduct(classifier, given, mix)
    for _ in range(2):  # the second time from kept weights
        torch.testing.assert_close(classify.logits(episodes), expected)
    assert given.aligned is not None
    fitted = FittedParts(view=whitened_view() if mix.whitened_weight else None)
    algorithm = SynTrans(nn.Identity(), classifier, mix=mix, fitted=fitted)
    algorithm.set_projection_(projection())
    algorithm.set_classes_(semantics, aligned=given.aligned.vectors)
    for e, (ids, support, query) in enumerate(
        zip(episodes.class_ids, episodes.support, episodes.query, strict=True)
    ):
        labels = torch.arange(5).repeat_interleave(shots)
        algorithm.adapt(features[support.flatten()], labels, ids)
        torch.testing.assert_close(
            algorithm(features[query.flatten()]), classifier.temperature * expected[e]
        )
    if mix == Mix(0.0):  # stage 4 trains on the plain cosine, at the learned alpha
        learned = float(classifier.alpha_logit.sigmoid())
        logits = classifier(
            features[episodes.support], features[episodes.query].flatten(1, 2),
            semantics[episodes.class_ids],
        )  # fmt: skip
        plain = plain_logits(classifier, given, episodes, Mix(learned))
        torch.testing.assert_close(logits, classifier.temperature * plain)


@pytest.mark.parametrize("shots", [1, 3])
def test_one_product_at_alpha_one_is_cosine_protonet_bit_for_bit(
    features: Tensor, semantics: Tensor, shots: int
) -> None:
    classifier, bridges = make_classifier(learned=False)
    episodes = draw(shots, count=50)
    expected = cosine_predict(features)(episodes)
    prototypes = F.normalize(features[episodes.support].mean(2), dim=-1)
    assert torch.equal(expected, features[episodes.query].flatten(1, 2) @ prototypes.mT)
    for classify in (
        OneProduct(classifier, everything(bridges, features, semantics), Mix(1.0)),
        OneProduct(classifier, Given(features), Mix(1.0)),
    ):
        assert torch.equal(classify.logits(episodes), expected)


def test_a_shots_weight_is_made_once(features: Tensor, semantics: Tensor) -> None:
    classifier, bridges = make_classifier(learned=True)
    given = everything(bridges, features, semantics)
    classify = OneProduct(classifier, given, Mix(0.3, 0.4, 0.7, 3.0))
    made: list[Tensor] = []
    classifier.generator.register_forward_hook(lambda *call: made.append(call[2]))
    for _ in range(2):
        classify.logits(draw(1, count=50))
    assert sum(map(len, made)) == len(draw(1, count=50).support.unique())


def test_the_memory_never_holds_the_episodes_classes(features: Tensor) -> None:
    """Changing memory and keys of the episode's own classes changes nothing; of others, it does."""
    classifier, _ = make_classifier(learned=True)
    generator = classifier.generator
    support, own = features[:15].view(1, 5, 3, D), torch.tensor([[1, 3, 5, 7, 9]])
    before = generator(support, own)
    for changed, same in (([1, 3, 5, 7, 9], True), ([2], False)):
        generator.memory[changed] += 1.0
        generator.keys.data[changed] -= 2.0
        assert torch.equal(generator(support, own), before) == same
    assert not torch.equal(generator(support, own), generator(support))


def test_the_weight_generator_attends_as_gidaris_writes_it(features: Tensor) -> None:
    classifier, _ = make_classifier(learned=True)
    generator = classifier.generator
    support = features[:6].view(1, 2, 3, D)
    actual = generator(support, torch.tensor([[0, 4]]))
    for c in range(2):
        attended = torch.zeros(D)
        for k in range(3):
            query = support[0, c, k] @ generator.query
            others = [b for b in range(B) if b not in (0, 4)]
            cosines = torch.stack(
                [F.cosine_similarity(query, generator.keys[b], dim=0) for b in others]
            )
            shares = (generator.gamma * cosines).softmax(0)
            attended += shares @ generator.memory[others] / 3
        expected = generator.phi_avg * support[0, c].mean(0) + generator.phi_att * attended
        torch.testing.assert_close(actual[0, c], expected)


def test_the_reconstructor_starts_as_the_mean_of_the_bridges(
    features: Tensor, semantics: Tensor
) -> None:
    classifier, bridges = make_classifier(learned=False)
    reconstructor = SemanticWeightReconstructor(bridges, D, M, 16, residual=True)
    mean, vectors = features[:5].view(1, 5, D), semantics[None, :5]
    each = [bridge.to_visual(vectors, mean) for bridge in bridges]
    torch.testing.assert_close(
        reconstructor(vectors, mean), F.normalize(torch.stack(each).mean(0), dim=-1)
    )
    torch.testing.assert_close(reconstructor(vectors, mean, fold=1), each[1])
    assert classifier.reconstructor is not None
