"""Episodes as index tensors, drawn by learn2learn's task transforms."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from syntrans_l2l.cache import Cache, Key
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import Split
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.progress import Progress, silent


@dataclass(frozen=True)
class Episodes:
    """Many episodes of one split.

    Shapes: class_ids [E, N] into the split's classes; support [E, N, K] and query [E, N, Q]
    into its images.
    """

    class_ids: Tensor
    support: Tensor
    query: Tensor

    def __len__(self) -> int:
        return len(self.class_ids)

    @property
    def ways(self) -> int:
        return self.support.shape[1]

    @property
    def shots(self) -> int:
        return self.support.shape[2]

    @property
    def queries(self) -> int:
        return self.query.shape[2]

    @staticmethod
    def none(size: EpisodeSize) -> "Episodes":
        """No episode, of a size that is known all the same."""
        empty = torch.empty(0, size.ways, size.shots + size.queries, dtype=torch.int64)
        return Episodes(empty[:, :, 0], empty[:, :, : size.shots], empty[:, :, size.shots :])

    def query_labels(self) -> Tensor:
        """Labels of the flattened queries, the same for every episode: [N * Q]."""
        return torch.arange(self.ways).repeat_interleave(self.queries)

    def batches(self, size: int) -> Iterator["Episodes"]:
        """Pieces of at most `size` episodes, in order."""
        parts = zip(*(part.split(size) for part in self._tensors()), strict=True)
        yield from (Episodes(*part) for part in parts)

    def first(self, count: int) -> "Episodes":
        """The first `count` episodes."""
        return Episodes(*(part[:count] for part in self._tensors()))

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.class_ids, self.support, self.query


def sample_episodes(
    split: Split, size: EpisodeSize, *, seed: int, progress: Progress = silent
) -> Episodes:
    """Draw `size.episodes` episodes exactly as a loop over the SemanticTaskset would.

    After `random.seed(seed)`, `SemanticTaskset(split, ways, shots + queries).sample()` gives
    the same images in the same order; here only their indices are kept (7,000 episodes/s).

    Args:
        split: the classes and their images.
        size: of the episodes, and how many there are.
        seed: of Python's `random`, which is left as it was found.
        progress: draws a bar.

    Raises:
        ValueError: the classes cannot fill such an episode.
        ImportError: learn2learn is not installed.
    """
    from syntrans_l2l.episodes.tasks import SemanticTaskset

    ways, shots, count = size.ways, size.shots, size.episodes
    samples = shots + size.queries
    split.check_episodes(ways=ways, shots=shots, queries=size.queries)
    taskset = SemanticTaskset(split, ways, samples)
    state = random.getstate()
    random.seed(seed)
    indices = torch.empty(count, ways, samples, dtype=torch.int64)
    try:
        with progress("drawing episodes", total=count, unit="episode") as advance:
            for row in range(count):
                random.randint(0, 0)  # Taskset.sample() draws which of its one task to take
                description = taskset.sample_task_description()
                flat = torch.tensor([sample.index for sample in description])
                indices[row] = flat.view(ways, samples)
                advance(1)
    finally:
        random.setstate(state)
    return Episodes(split.labels[indices[:, :, 0]], indices[:, :, :shots], indices[:, :, shots:])


def cached_episodes(
    cache: Cache,
    split: Split,
    key: Key,
    size: EpisodeSize,
    *,
    seed: int,
    progress: Progress = silent,
) -> Episodes:
    """`sample_episodes`, drawn once for each size and seed of what `key` names."""

    def make() -> dict[str, Tensor]:
        drawn = sample_episodes(split, size, seed=seed, progress=progress)
        return {"class_ids": drawn.class_ids, "support": drawn.support, "query": drawn.query}

    drawn_as = {"ways": size.ways, "shots": size.shots, "queries": size.queries,
                "count": size.episodes, "seed": seed, "code": code_digest(__name__)}  # fmt: skip
    return Episodes(**cache.get("episodes", {**key, **drawn_as}, make))
