"""Checkpoints that survive a kill: written whole or not at all, read without code."""

import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from syntrans_l2l.atomic import atomic

logger = logging.getLogger(__name__)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path` by way of a temporary file."""
    with atomic(path) as partial:
        torch.save(state, partial)


def load(path: Path) -> dict[str, Any] | None:
    """The saved state, or None where there is none or it is damaged (logged)."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError) as error:
        logger.warning("damaged checkpoint %s (%s): starting the stage anew", path, error)
        return None
    return state
