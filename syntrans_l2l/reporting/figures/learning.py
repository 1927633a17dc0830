"""Learning curves: the loss and the accuracy on validation classes, by epoch."""

from collections.abc import Mapping

from syntrans_l2l.reporting.figures.style import COLOURS, MARKERS, Figure, new_figure, styled
from syntrans_l2l.reporting.learning import Learning

CAPTION = (
    "How each student learnt: the mean training loss of an epoch, and cosine ProtoNet's accuracy "
    "on 1-shot episodes of validation classes after it. Nothing is chosen by these curves."
)
_PANELS = {"loss": "training loss", "validation": "validation accuracy (%)"}


@styled
def learning_figure(students: Mapping[str, Learning]) -> Figure:
    """A panel for each of loss and validation accuracy that some student has.

    Args:
        students: by name; "loss" and "validation" hold a number an epoch.
    """
    shown = [name for name in _PANELS if any(curves.get(name) for curves in students.values())]
    figure = new_figure(3.3 * len(shown), 2.6 + 0.16 * len(students))
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for panel, name in zip(panels, shown, strict=True):
        for number, (student, curves) in enumerate(students.items()):
            values = curves.get(name, ())
            panel.plot(
                range(1, len(values) + 1), values, label=student, markersize=3,
                color=COLOURS[number % len(COLOURS)],
                marker=MARKERS[number // len(COLOURS) % len(MARKERS)],
                linestyle=("-", "--", ":")[number % 3],
            )  # fmt: skip
        panel.set(xlabel="epoch", ylabel=_PANELS[name])
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", frameon=False, fontsize=7)
    return figure
