"""Gain per class: where semantics help, and where they hurt."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from syntrans_l2l.reporting.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    VERMILION,
    Figure,
    new_figure,
    styled,
)

Array = NDArray[Any]
CAPTION = (
    "Accuracy on the queries of each novel class, minus the reference's on the same queries, in "
    "points."
)
_LOOKS = ((VERMILION, "o"), (BLUE, "s"), (GREEN, "^"))


@styled
def gain_figure(
    gains: Mapping[int, tuple[Mapping[str, Tensor], Mapping[str, Tensor]]],
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """One dot a class and number of shots, classes sorted by the gain at the fewest shots.

    Args:
        gains: by shots, the diagnostics of a row and of its reference: `class_right` and
            `class_queries`, [C].
        class_names: of the C test classes.
        title: which row minus which.
    """
    points = {shots: _percent(ours) - _percent(theirs) for shots, (ours, theirs) in gains.items()}
    order = np.argsort(next(iter(points.values())))
    figure = new_figure(4.5, 0.8 + 0.19 * len(class_names))
    panel = figure.subplots()
    heights = np.arange(len(class_names))
    for (shots, gain), (colour, marker) in zip(points.items(), _LOOKS, strict=False):
        panel.plot(gain[order], heights, marker, color=colour, markersize=4, label=f"{shots}-shot")
    panel.axvline(0, color=BLACK, linewidth=0.8)
    panel.set_yticks(heights, [class_names[place].replace("_", " ") for place in order])
    panel.tick_params(axis="y", labelsize=7)
    panel.set_xlabel(f"{title} (points)")
    panel.grid(axis="y", linewidth=0.3)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=7, frameon=False, loc="lower right")
    return figure


def _percent(tensors: Mapping[str, Tensor]) -> Array:
    """Accuracy per class, [C]; NaN where no episode has drawn the class."""
    percent = 100.0 * tensors["class_right"].double() / tensors["class_queries"].double()
    return np.asarray(percent.numpy())
