"""Accuracy over alpha, as in Figure 4 of the paper."""

from collections.abc import Mapping

from torch import Tensor

from syntrans_l2l.reporting.figures.style import BLACK, BLUE, VERMILION, Figure, new_figure, styled

CAPTION = (
    "Accuracy over alpha, the share of the visual weight, with 95% intervals, over at most 1,000 "
    "episodes of each split. The dotted line is the alpha that validation classes chose; the test "
    "curve is a report and chose nothing."
)


@styled
def alpha_figure(
    diagnostics: Mapping[int, Mapping[str, Tensor]], selected: Mapping[int, float]
) -> Figure:
    """One panel a number of shots: validation and test classes apart.

    Args:
        diagnostics: by shots; `alphas` [A], `alpha_validation` and `alpha_test` [A, 2].
        selected: by shots, the alpha that was picked.
    """
    figure = new_figure(3.4 * len(diagnostics), 2.8)
    panels = figure.subplots(1, len(diagnostics), squeeze=False)[0]
    for panel, (shots, tensors) in zip(panels, diagnostics.items(), strict=True):
        alphas = tensors["alphas"].numpy()
        for split, colour, line, marker in (
            ("validation", BLUE, "-", "o"),
            ("test", VERMILION, "--", "s"),
        ):
            mean, ci95 = tensors[f"alpha_{split}"].T.numpy()
            label = f"{split} classes"
            panel.plot(alphas, mean, line, color=colour, marker=marker, markersize=3, label=label)
            panel.fill_between(alphas, mean - ci95, mean + ci95, color=colour, alpha=0.25, lw=0)
        chosen = selected[shots]
        panel.axvline(chosen, color=BLACK, linestyle=":", label=f"selected: {chosen:g}")
        panel.set(title=f"{shots}-shot", xlabel="alpha (1: visual only)", ylabel="accuracy (%)")
        panel.legend(fontsize=7, framealpha=1, edgecolor="none")
        panel.spines[["top", "right"]].set_visible(False)
    return figure
