import random
from pathlib import Path

import pytest
import torch
from common import digest_elsewhere

from syntrans_l2l.cache import Cache, tensor_digest
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.episodes.episodes import Episodes, cached_episodes, sample_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.episodes.tasks import SemanticTaskset


@pytest.fixture(scope="module")
def episodes(data: FewShotData) -> Episodes:
    return sample_episodes(data.test, EpisodeSize(shots=2, queries=4, episodes=200), seed=3)


def test_support_and_query_are_disjoint(episodes: Episodes) -> None:
    rows = torch.cat([episodes.support, episodes.query], dim=2).flatten(1)
    assert all(len(set(row.tolist())) == rows.shape[1] for row in rows)


def test_images_belong_to_their_classes(data: FewShotData, episodes: Episodes) -> None:
    for rows in (episodes.support, episodes.query):
        assert (data.test.labels[rows] == episodes.class_ids[..., None]).all()
    assert all(len(set(row.tolist())) == 5 for row in episodes.class_ids)


def test_every_class_and_image_is_drawn_alike(data: FewShotData, episodes: Episodes) -> None:
    drawn = torch.bincount(episodes.class_ids.flatten(), minlength=6).double()
    assert (drawn / len(episodes) - 5 / 6).abs().max() < 0.1
    images = torch.bincount(episodes.query.flatten(), minlength=len(data.test.labels))
    assert (images > 0).all()


def test_a_plain_learn2learn_loop_sees_the_same_episodes(
    data: FewShotData, episodes: Episodes
) -> None:
    taskset = SemanticTaskset(data.test, ways=5, samples=6)
    random.seed(3)
    for row in range(20):
        task = taskset.sample()
        images = task[0].unflatten(0, (5, 6))
        assert torch.equal(task.class_ids, episodes.class_ids[row])
        assert torch.equal(images[:, :2], data.test.images[episodes.support[row]] / 255.0)
        assert torch.equal(images[:, 2:], data.test.images[episodes.query[row]] / 255.0)


def test_sampling_leaves_pythons_random_stream_alone(data: FewShotData) -> None:
    random.seed(7)
    expected = random.random()
    random.seed(7)
    sample_episodes(data.test, EpisodeSize(queries=1, episodes=3), seed=0)
    assert random.random() == expected


def test_the_same_seed_gives_the_same_bits_in_another_process(data: FewShotData) -> None:
    draw = (
        "from syntrans_l2l.episodes.episodes import sample_episodes;"
        "from syntrans_l2l.episodes.size import EpisodeSize;"
        "e = sample_episodes(split, EpisodeSize(queries=3, episodes=50), seed=9)"
    )
    here = sample_episodes(data.test, EpisodeSize(queries=3, episodes=50), seed=9)
    expected = tensor_digest({"c": here.class_ids, "s": here.support, "q": here.query})
    assert digest_elsewhere(draw) == expected
    assert tensor_digest({"c": here.class_ids, "s": here.query, "q": here.support}) != expected


def test_drawn_once(data: FewShotData, tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def draw() -> Episodes:
        size = EpisodeSize(ways=3, queries=2, episodes=4)
        return cached_episodes(cache, data.test, {"data": "x"}, size, seed=0)

    first = draw()
    [entry] = (cache.root / "episodes").iterdir()
    written = entry.stat().st_mtime_ns
    assert torch.equal(draw().support, first.support)
    assert entry.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("ways", "queries", "message"), [(7, 1, "only 6 classes"), (5, 24, "has 24")]
)
def test_impossible_episodes(data: FewShotData, ways: int, queries: int, message: str) -> None:
    size = EpisodeSize(ways=ways, queries=queries, episodes=2)
    with pytest.raises(ValueError, match=message):
        sample_episodes(data.test, size, seed=0)
