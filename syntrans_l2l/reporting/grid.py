"""A table before it takes a format: what every renderer is given."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mark = Literal["", "best", "second"]
MINUS_SHUFFLED = "minus shuffled"  # the column of what a row's text is worth
QUOTED = "†"  # follows the name of every row that is quoted and not measured
FOREIGN = "‡"  # follows the name of every row that was made elsewhere, on the same episodes


@dataclass(frozen=True)
class Estimate:
    """A mean with the half-width of its 95% CI; `digits` as it was measured or printed."""

    mean: float
    ci95: float | None
    mark: Mark = ""
    digits: int = 2
    signed: bool = False

    def __str__(self) -> str:
        return f"{self.mean_text} ± {self.ci95_text}" if self.ci95_text else self.mean_text

    @property
    def mean_text(self) -> str:
        """The mean alone."""
        rounded = round(self.mean, self.digits) + 0.0  # no minus before a zero
        return f"{rounded:{'+' if self.signed else ''}.{self.digits}f}"

    @property
    def ci95_text(self) -> str:
        """The half-width alone; empty where there is none."""
        return "" if self.ci95 is None else f"{self.ci95:.{self.digits}f}"


Cell = str | Estimate | None  # None: there is no such number


@dataclass(frozen=True)
class Grid:
    """Header and rows under a caption; sections of rows are set apart by a rule.

    Every row has as many cells as the header.
    """

    caption: str
    header: Sequence[str]
    sections: Sequence[Sequence[Sequence[Cell]]]

    @property
    def rows(self) -> list[Sequence[Cell]]:
        """The rows of all sections."""
        return [row for section in self.sections for row in section]


def one_line(text: str) -> str:
    """Names come from configuration files: no line break or control character may pass."""
    return re.sub(r"[\x00-\x1f\x7f\s]+", " ", text).strip()
