"""Threads that give way where other work shares the machine."""

import os

_CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def give_way() -> None:
    """Let torch's OpenMP threads spin for a short time only; call it before torch is imported.

    By default they spin while they wait, and two processes of two threads on two cores starve
    each other. A user who set one of OMP_WAIT_POLICY, GOMP_SPINCOUNT and KMP_BLOCKTIME has
    chosen. benchmarks/speed/neighbour.py measures what it is worth.
    """
    if not any(name in os.environ for name in _CHOICES):
        os.environ["GOMP_SPINCOUNT"] = "1000"
