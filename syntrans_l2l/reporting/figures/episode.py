"""An episode to look at: support images, queries, and what each row said."""

import textwrap
from collections.abc import Mapping

from torch import Tensor

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.reporting.figures.style import BLACK, Figure, new_figure, styled

CAPTION = (
    "The first test episode, one class a band: the support on the left, queries on the right. "
    "Below a query stands what each row answered: a tick where it is right, else the class that "
    "it said, white on black."
)
_QUERIES = 6
_SHOTS = 5
_LABELS = 2.6  # width of the names on the left, in images, as all lengths here
_GAP = 0.35  # between support and queries
_LINE = 0.24  # height of a row's answers
_BAND = 0.3  # height of a class's name, and the space between bands
_INCHES = 0.82  # an image
_SAID = 17  # characters of a wrong answer, as wide as an image


@styled
def episode_sheet(said: Mapping[str, Mapping[str, Tensor]], split: Split) -> Figure:
    """The first episode of the diagnostics of several rows.

    Args:
        said: by row; `shown_answers` [e, N * Q], `shown_classes` [e, N], `shown_support`
            [e, N, K] and `shown_query` [e, N, Q], the same episodes for all.
        split: the test split that the indices point into.
    """
    episode = next(iter(said.values()))
    names = [split.class_names[int(c)].replace("_", " ") for c in episode["shown_classes"][0]]
    support = episode["shown_support"][0][:, :_SHOTS]  # [N, K]
    query = episode["shown_query"][0]  # [N, Q]
    ways, shots = support.shape
    shown = min(_QUERIES, query.shape[1])
    band = _BAND + 1.0 + _LINE * len(said)
    queries = _LABELS + shots + _GAP  # where they begin
    width, height = queries + shown, band * ways + 0.35
    figure = new_figure(_INCHES * width, _INCHES * height)
    figure.set_layout_engine("none")  # places are ours
    panel = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    panel.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    panel.axis("off")
    panel.text(_LABELS, 0.2, "support", weight="bold")
    panel.text(queries, 0.2, "queries, and what each row answered", weight="bold")
    for way, name in enumerate(names):
        top = 0.35 + band * way + _BAND  # of the images
        lines = textwrap.fill(name, 20, max_lines=3, placeholder=" …")
        panel.text(_LABELS - 0.15, top + 0.5, lines, ha="right", va="center", weight="bold")
        for place in range(shots):
            _show(panel, split, int(support[way, place]), _LABELS + place, top)
        for place in range(shown):
            _show(panel, split, int(query[way, place]), queries + place, top)
        for number, (row, tensors) in enumerate(said.items()):
            line = top + 1 + _LINE * (number + 0.5)
            panel.text(queries - 0.12, line, row, fontsize=6.5, ha="right", va="center")
            answers = tensors["shown_answers"][0].view(ways, -1)[way]
            for place in range(shown):
                answer = int(answers[place])
                _answer(panel, queries + place + 0.5, line, names[answer], answer == way)
    return figure


def _show(panel: Figure, split: Split, image: int, left: float, top: float) -> None:
    pixels = split.images[image].permute(1, 2, 0).numpy()
    panel.imshow(pixels, extent=(left + 0.03, left + 0.97, top + 0.97, top + 0.03))


def _answer(panel: Figure, centre: float, line: float, name: str, right: bool) -> None:
    """In black and white, so that grey print tells right from wrong."""
    if right:
        panel.text(centre, line, "✓", fontsize=7, ha="center", va="center")
        return
    said = name if len(name) <= _SAID else f"{name[: _SAID - 1]}…"
    panel.text(
        centre, line, said, color="white", fontsize=5, ha="center", va="center",
        bbox={"facecolor": BLACK, "pad": 1.2, "linewidth": 0},
    )  # fmt: skip
