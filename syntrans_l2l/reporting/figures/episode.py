"""An episode to look at: support images, queries, and what each method said."""

from collections.abc import Mapping

from torch import Tensor

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.reporting.figures.style import BLACK, BLUE, VERMILION, Figure, new_figure, styled

CAPTION = (
    "The first test episode: a class a line, its support on the left, its first queries beside it. "
    "Below a query stands the class that each method said, in the order of the legend; a wrong "
    "one is crossed."
)
_QUERIES = 6
_SHOTS = 5


@styled
def episode_sheet(said: Mapping[str, Mapping[str, Tensor]], split: Split) -> Figure:
    """The first episode of the diagnostics of several methods.

    Args:
        said: by method; `shown_answers` [e, N * Q], `shown_classes` [e, N], `shown_support`
            [e, N, K] and `shown_query` [e, N, Q], the same episodes for all.
        split: the test split that the indices point into.
    """
    episode = next(iter(said.values()))
    classes, support = episode["shown_classes"][0], episode["shown_support"][0][:, :_SHOTS]
    query = episode["shown_query"][0]
    ways, shots = support.shape
    shown = min(_QUERIES, query.shape[1])
    below = 0.16 * len(said)  # inches of text under a query
    figure = new_figure(0.85 * (shots + shown) + 0.6, (1.05 + below) * ways + 0.35)
    widths = [1.0] * shots + [0.25] + [1.0] * shown
    panels = figure.subplots(ways, shots + 1 + shown, gridspec_kw={"width_ratios": widths})
    for way in range(ways):
        letter, name = chr(ord("A") + way), split.class_names[int(classes[way])]
        for panel in panels[way]:
            panel.axis("off")
        for panel, index in zip(panels[way], support[way], strict=False):
            panel.imshow(split.images[index].permute(1, 2, 0).numpy())
        panels[way][0].set_title(f"{letter}: {name.replace('_', ' ')}", fontsize=7, loc="left")
        for place in range(shown):
            panel = panels[way][shots + 1 + place]
            panel.imshow(split.images[query[way, place]].permute(1, 2, 0).numpy())
            for number, tensors in enumerate(said.values()):
                answer = int(tensors["shown_answers"][0].view(ways, -1)[way, place])
                right = answer == way
                panel.text(
                    0.5, -0.14 - 0.2 * number,
                    chr(ord("A") + answer) + ("" if right else " ×"),
                    color=BLUE if right else VERMILION, fontsize=7, ha="center", va="center",
                    transform=panel.transAxes,
                )  # fmt: skip
    legend = "   ".join(f"{number}. {method}" for number, method in enumerate(said, start=1))
    figure.supxlabel(f"below each query, from the top: {legend}", fontsize=7, color=BLACK)
    return figure
