"""What a student in training can do on validation classes: for its learning curve."""

import torch
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.features import extract
from syntrans_l2l.training.job import Job


class Probe:
    """Percent right of cosine ProtoNet in 5-way 1-shot episodes on a part of the images.

    For curves: it takes a second or two an epoch, and no run chooses anything by it. Where there
    are fewer than five classes, all are taken.

    Args:
        images: of validation classes, [n, 3, H, W] uint8.
        labels: [n], 0 to C - 1.
        job: its device; its seed is that of the images and the episodes.
        per_class: so many images of each class, or all of the smallest class where they are fewer.
        episodes: how many."""

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        job: Job,
        *,
        per_class: int = 100,
        episodes: int = 1_000,
    ) -> None:
        counts = torch.bincount(labels)
        size = min(per_class, int(counts.min()))
        generator = torch.Generator().manual_seed(job.seed)
        order = torch.randperm(len(labels), generator=generator)
        chosen = torch.cat([order[labels[order] == c][:size] for c in range(len(counts))])
        self.images, self.job = images[chosen], Job(seed=job.seed, device=job.device)
        ways, queries = min(5, len(counts)), min(15, size - 1)
        classes = torch.rand(episodes, len(counts), generator=generator).argsort(1)[:, :ways]
        rows = torch.rand(episodes, ways, size, generator=generator).argsort(2)[..., : 1 + queries]
        self._drawn = classes[:, :, None] * size + rows  # [E, N, 1 + Q]

    def __call__(self, student: Student) -> float:
        """Of a student in eval mode."""
        features = F.normalize(extract(student, self.images, job=self.job), dim=-1)
        support, query = features[self._drawn[..., 0]], features[self._drawn[..., 1:]]
        answers = torch.einsum("enqd,emd->enqm", query, support).argmax(-1)  # [E, N, Q]
        right = answers == torch.arange(answers.shape[1])[:, None]
        return 100.0 * float(right.double().mean())
