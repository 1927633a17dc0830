"""Texts that are longer than what a text tower reads: told, because it cuts them without a word."""

import logging
from collections.abc import Sequence

logger = logging.getLogger(__name__)


def tell_what_is_cut(
    source: str, texts: Sequence[str], lengths: Sequence[int], limit: int | None
) -> None:
    """Warn once of all texts of a call.

    Args:
        source: who reads them.
        texts: what is read.
        lengths: tokens of each.
        limit: tokens that are read; None where there is no limit.
    """
    if limit is None:
        return
    cut = [row for row, length in enumerate(lengths) if length > limit]
    if cut:
        lost = sum(lengths[row] - limit for row in cut) / sum(lengths)
        first = texts[cut[0]]
        logger.warning(
            "%s reads %d tokens: %d of %d texts are longer, and %.2g%% of all tokens are cut off, "
            "first of %r; shorten them",
            *(source, limit, len(cut), len(texts), 100 * lost),
            first if len(first) <= 120 else f"{first[:120]}...",
        )
