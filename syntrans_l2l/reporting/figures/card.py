"""Class cards: a picture of each class beside the phrases that its vector is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.reporting.cards import best_first
from syntrans_l2l.reporting.figures.style import BLACK, Figure, new_figure, styled
from syntrans_l2l.semantics.bank_file import MinedBank

CAPTION = (
    "What some novel classes look like, and the phrases that their vectors are made of: kept ones "
    "in black with the refiner's score, dropped ones in grey. The picture was not seen by SynMine."
)
_PHRASES = 7
_CARDS = 4
_GREY = "#8a8a8a"


@dataclass(frozen=True)
class ClassCard:
    """One class: its name, a picture [3, H, W] uint8, and its phrases.

    `kept` and `dropped` are phrases with the refiner's score where there is one.
    """

    name: str
    image: Tensor
    kept: Sequence[tuple[str, float | None]]
    dropped: Sequence[tuple[str, float | None]]


def class_cards(bank: MinedBank, split: Split) -> list[ClassCard]:
    """The first classes of a split, each with its first picture.

    Args:
        bank: has their phrases.
        split: has pictures of them, [n, 3, H, W].
    """
    cards = []
    for label, name in enumerate(split.class_names[:_CARDS]):
        phrases = best_first(bank.of_class(name))
        said = {
            kept: [(each.phrase, each.score) for each in phrases if each.kept is kept]
            for kept in (True, False)
        }
        image = split.images[int((split.labels == label).nonzero()[0])]
        cards.append(ClassCard(name, image, said[True], said[False]))
    return cards


@styled
def cards_figure(cards: Sequence[ClassCard]) -> Figure:
    """One card a line: picture, name and phrases."""
    figure = new_figure(6.6, 1.45 * len(cards))
    panels = figure.subplots(len(cards), 2, squeeze=False, gridspec_kw={"width_ratios": [1.3, 5.3]})
    for (picture, text), card in zip(panels, cards, strict=True):
        for panel in (picture, text):
            panel.axis("off")
        picture.imshow(card.image.permute(1, 2, 0).numpy())
        text.text(0, 1.0, card.name.replace("_", " "), weight="bold", va="top")
        phrases = [(*each, BLACK) for each in card.kept] + [(*each, _GREY) for each in card.dropped]
        for number, (phrase, score, colour) in enumerate(phrases[:_PHRASES], start=1):
            height = 1.0 - 0.125 * number - 0.02
            said = "" if score is None else f"{round(score, 2) + 0.0:+.2f}"  # no minus before 0
            text.text(0, height, said, color=colour, fontsize=7, va="top", family="monospace")
            text.text(0.1, height, phrase[:78], color=colour, fontsize=7, va="top")
    return figure
