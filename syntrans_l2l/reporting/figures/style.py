"""Colours that colour-blind readers tell apart, and files that print well."""

import base64
import io
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

# Okabe and Ito, "Color universal design", 2008; its yellow is left out: too light for lines
BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE, BLACK = COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000",
)  # fmt: skip
MARKERS = ("o", "s", "^")  # times seven colours: more than 20 classes

RECIPE = 'figures need matplotlib and scikit-learn: pip install "syntrans-l2l[figures]"'

Figure = Any  # matplotlib is an optional extra
P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draws in small print; a missing matplotlib is an ImportError that is the recipe."""

    @wraps(draw)
    def wrapper(*arguments: P.args, **settings: P.kwargs) -> Figure:
        try:
            from matplotlib import rc_context
        except ImportError as error:
            raise ImportError(RECIPE) from error
        with rc_context({"font.size": 8, "axes.titlesize": 9}):
            return draw(*arguments, **settings)

    return wrapper


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches, free of any global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write PNG and PDF; the same figure gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=200)
    figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})


def data_uri(figure: Figure) -> str:
    """The figure as a PNG that a page carries in itself."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
