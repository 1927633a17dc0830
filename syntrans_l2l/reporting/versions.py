"""Versions and machine, for the records."""

import platform
from importlib import metadata

import torch

from syntrans_l2l.training.precision import resolve

_NAMES = ("torch", "numpy", "learn2learn", "open_clip_torch", "transformers", "timm")


def package_versions() -> dict[str, str]:
    """Versions of what computes; a record adds the hash of the code that made its row."""
    versions = {}
    for name in _NAMES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions


def machine(device: torch.device) -> str:
    """What computes: the device or the processor's instructions, threads, and what "auto" is.

    The last digits of a trained network depend on all of them.
    """
    kind = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    if device.type == "cuda":
        kind = torch.cuda.get_device_name(device)
    auto = str(resolve("auto", device)).removeprefix("torch.")
    return f"{kind}, threads {torch.get_num_threads()}, auto precision {auto}"
