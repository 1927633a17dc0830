"""All rows of a data set at a glance: accuracies with their intervals."""

from collections.abc import Mapping

from syntrans_l2l.reporting.figures.style import BLACK, SKY, Figure, new_figure, styled

CAPTION = (
    "Accuracy of all rows with 95% intervals. Bars begin at chance. Rows that read text are "
    "hatched."
)


@styled
def bars_figure(
    accuracies: Mapping[int, Mapping[str, tuple[float, float]]],
    reads_text: Mapping[str, bool],
    ways: int,
) -> Figure:
    """One panel a number of shots, the rows in the order of the table.

    Args:
        accuracies: by shots and row, mean and half-width of the interval in percent.
        reads_text: by row.
        ways: N, for the level of chance.
    """
    rows = list(reads_text)
    chance = 100.0 / ways
    figure = new_figure(1.6 + 2.9 * len(accuracies), 0.7 + 0.24 * len(rows))
    panels = figure.subplots(1, len(accuracies), sharey=True, squeeze=False)[0]
    for panel, (shots, of_row) in zip(panels, accuracies.items(), strict=True):
        for height, row in enumerate(rows):
            if row not in of_row:
                continue
            mean, ci95 = of_row[row]
            panel.barh(
                height, mean - chance, left=chance, height=0.72, color=SKY, edgecolor=BLACK,
                linewidth=0.5, hatch="////" if reads_text[row] else None,
            )  # fmt: skip
            panel.errorbar(mean, height, xerr=ci95, color=BLACK, capsize=2, linewidth=1)
            panel.text(mean + ci95 + 0.8, height, f"{mean:.1f}", va="center", fontsize=7)
        panel.set(title=f"{shots}-shot", xlabel="accuracy (%)", xlim=(chance, 106))
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
    return figure
