"""The vectorised sampler: the distribution of learn2learn's episodes, not their bits."""

import pytest
import torch
from common import digest_elsewhere
from scipy.stats import chisquare
from torch import Tensor

from syntrans_l2l.cache import tensor_digest
from syntrans_l2l.datasets.base import FewShotData, Split
from syntrans_l2l.episodes.episodes import Episodes, sample_episodes
from syntrans_l2l.episodes.sampler import draw_distinct, stream_episodes
from syntrans_l2l.episodes.size import EpisodeSize

SIZES = (4, 9, 5, 12, 7, 6)  # images of the classes


@pytest.fixture(scope="module")
def split() -> Split:
    """Classes of unequal size, their images mixed."""
    labels = torch.arange(len(SIZES)).repeat_interleave(torch.tensor(SIZES))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    return Split(torch.zeros(len(labels), 2), labels, tuple("abcdef"))


def stream(split: Split, count: int, seed: int = 0, ways: int = 3) -> list[Episodes]:
    return list(stream_episodes(split, ways=ways, shots=1, queries=3, count=count, seed=seed))


def together(parts: list[Episodes]) -> tuple[Tensor, Tensor]:
    """class_ids [E, N] and images [E, N, K + Q]."""
    images = [torch.cat([part.support, part.query], dim=2) for part in parts]
    return torch.cat([part.class_ids for part in parts]), torch.cat(images)


def uniform(drawn: Tensor, cells: int) -> bool:
    return bool(chisquare(torch.bincount(drawn.flatten(), minlength=cells)).pvalue > 1e-3)


def test_images_are_distinct_and_of_their_classes(split: Split) -> None:
    class_ids, images = together(stream(split, 2500))
    assert images.shape == (2500, 3, 4)
    assert (split.labels[images] == class_ids[..., None]).all()
    assert (images.sort(-1).values.diff(dim=-1) > 0).all()
    assert (class_ids.sort(-1).values.diff(dim=-1) > 0).all()


def test_classes_and_their_order_are_uniform(split: Split) -> None:
    class_ids, _ = together(stream(split, 20_000))
    ordered = class_ids @ torch.tensor([36, 6, 1])
    assert uniform(ordered.unique(return_inverse=True)[1], 6 * 5 * 4)


@pytest.mark.parametrize("place", range(4))
def test_images_are_uniform_at_every_place(split: Split, place: int) -> None:
    """Shots and queries alike, in small classes and in large ones."""
    class_ids, images = together(stream(split, 20_000))
    for label in range(len(SIZES)):
        drawn = images[..., place][class_ids == label]
        where = torch.where(split.labels == label)[0]
        assert uniform(torch.searchsorted(where, drawn), SIZES[label])


def test_every_ordered_draw_is_equally_likely() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = draw_distinct(torch.full((60_000,), 5), 3, generator)
    assert uniform((drawn @ torch.tensor([25, 5, 1])).unique(return_inverse=True)[1], 60)
    everything = draw_distinct(torch.full((24_000,), 4), 4, generator)  # all there are
    assert (everything.sort(-1).values == torch.arange(4)).all()
    assert uniform((everything @ torch.tensor([64, 16, 4, 1])).unique(return_inverse=True)[1], 24)


def test_the_check_of_uniformity_can_fail() -> None:
    generator = torch.Generator().manual_seed(0)
    skewed = torch.randint(0, 101, (60_000,), generator=generator) % 5
    assert not uniform(skewed[skewed.argsort()][:58_000], 5)


def test_learn2learn_draws_from_the_same_distribution(data: FewShotData) -> None:
    streamed = stream_episodes(data.test, ways=2, shots=1, queries=2, count=3000, seed=1)
    ours = torch.cat([part.class_ids for part in streamed])
    size = EpisodeSize(ways=2, queries=2, episodes=3000)
    theirs = sample_episodes(data.test, size, seed=1).class_ids
    for class_ids in (ours, theirs):
        pairs = class_ids @ torch.tensor([6, 1])
        assert uniform(pairs.unique(return_inverse=True)[1], 30)


def test_the_first_episodes_do_not_depend_on_the_count(split: Split) -> None:
    few, many = together(stream(split, 1234)), together(stream(split, 3000))
    assert all(torch.equal(a, b[:1234]) for a, b in zip(few, many, strict=True))
    assert not torch.equal(many[1][:1000], many[1][1000:2000])
    assert not torch.equal(few[1], together(stream(split, 1234, seed=1))[1])


def test_the_same_seed_gives_the_same_bits_in_another_process(data: FewShotData) -> None:
    draw = (
        "from syntrans_l2l.episodes.sampler import stream_episodes;"
        "[e] = stream_episodes(split, ways=5, shots=1, queries=3, count=50, seed=9)"
    )
    [here] = stream_episodes(data.test, ways=5, shots=1, queries=3, count=50, seed=9)
    expected = tensor_digest({"c": here.class_ids, "s": here.support, "q": here.query})
    assert digest_elsewhere(draw) == expected


def test_impossible_episodes(split: Split) -> None:
    for ways, message in ((7, "only 6 classes"), (2, "has 4")):
        size = {"ways": ways, "shots": 2, "queries": 3, "count": 1, "seed": 0}
        with pytest.raises(ValueError, match=message):
            next(stream_episodes(split, **size))
