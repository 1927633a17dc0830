"""t-SNE of the classifier weights of all novel classes, as in Figure 5 of the paper."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from syntrans_l2l.reporting.figures.style import (
    COLOURS,
    MARKERS,
    RECIPE,
    Figure,
    new_figure,
    styled,
)

Array = NDArray[Any]
_NAMES_A_LINE = 5
CAPTION = (
    "t-SNE of the classifier weights of all novel classes, one point an episode and class: the "
    "visual weights beside the multimodal ones, on the same episodes."
)


@styled
def weights_figure(
    diagnostics: Mapping[int, Mapping[str, Tensor]], class_names: Sequence[str]
) -> Figure:
    """One row a number of shots, visual weights on the left, multimodal on the right.

    Args:
        diagnostics: by shots; `weights_visual`, `weights_multimodal` [e, N, D] and
            `weight_classes` [e, N].
        class_names: of the C test classes.

    Raises:
        ImportError: scikit-learn or matplotlib is not installed; the message is the recipe.
    """
    lines = -(-len(class_names) // _NAMES_A_LINE)
    figure = new_figure(7.2, 3.2 * len(diagnostics) + 0.2 * lines)
    panels = figure.subplots(len(diagnostics), 2, squeeze=False)
    for row, (shots, tensors) in zip(panels, diagnostics.items(), strict=True):
        classes = tensors["weight_classes"].flatten().numpy()
        for panel, kind in zip(row, ("visual", "multimodal"), strict=True):
            points = _embedded(tensors[f"weights_{kind}"].flatten(0, 1).float().numpy())
            _scatter(panel, points, classes, class_names)
            panel.set_title(f"{shots}-shot, {kind}")
    keys, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        keys, names, loc="outside lower center", ncols=_NAMES_A_LINE, fontsize=7, frameon=False,
        handletextpad=0.1, columnspacing=1.0,
    )  # fmt: skip
    return figure


def _embedded(weights: Array) -> Array:
    """[n, D] -> [n, 2], the same for the same weights."""
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ImportError(RECIPE) from error
    perplexity = min(30.0, (len(weights) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=0)
    return np.asarray(tsne.fit_transform(weights))


def _scatter(panel: Figure, points: Array, classes: Array, class_names: Sequence[str]) -> None:
    """Each class has its own pair of colour and marker, which the legend explains."""
    for place in sorted(set(classes.tolist())):
        own = points[classes == place]
        colour = COLOURS[place % len(COLOURS)]
        marker = MARKERS[place // len(COLOURS) % len(MARKERS)]
        name = class_names[place].replace("_", " ")
        panel.scatter(
            *own.T, s=10, color=colour, marker=marker, linewidths=0, alpha=0.8, label=name
        )
    panel.margins(0.05)
    panel.set(xticks=[], yticks=[])
