"""Seeds for the parts of one run that share nothing, not even between runs of near seeds."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derived(seed: int, *purpose: str | int) -> int:
    """A seed of 63 bits, from a hash of the run's seed and of what it is for.

    `seed + fold` would let fold 1 of seed 0 and fold 0 of seed 1 share their random numbers.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's own random numbers from `seed` on within; afterwards they are as they were.

    On GPUs too: `torch.manual_seed` seeds these, whatever devices are forked.
    """
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield
