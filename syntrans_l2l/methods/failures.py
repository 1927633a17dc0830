"""What goes wrong in other people's code, told in one line that names the row."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told_of(name: str) -> Iterator[None]:
    """Turn any error within into a ValueError of one line: the row, what was raised, and where."""
    try:
        yield
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())
        raise ValueError(
            f"row {name} failed: {type(error).__name__}: {text} ({place.filename}, line "
            f"{place.lineno})"
        ) from error
