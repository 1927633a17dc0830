"""A student that trains in a second, and a training that is killed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from syntrans_l2l.encoders.factories import resnet12
from syntrans_l2l.networks.student import Student
from syntrans_l2l.progress import Advance

CPU = torch.device("cpu")


def student() -> Student:
    torch.manual_seed(0)
    return resnet12(4)


@contextmanager
def killed_in_third_epoch(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
    seen = done

    def advance(count: int) -> None:
        nonlocal seen
        seen += count
        if seen > total * 0.7:
            raise KeyboardInterrupt

    yield advance
