"""Short names that tell apart what shares a name."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from syntrans_l2l.reporting.grid import FOREIGN
from syntrans_l2l.reporting.records import Record

_DISPLAYED = 40  # characters; longer texts are told apart by their hashes
_DIGITS = 4  # of a hash, and more where four do not tell apart


def data_labels(records: Iterable[Record]) -> dict[tuple[str, str], str]:
    """What tables call the data of (name, fingerprint): the name where one set of data has it."""
    by_name: dict[str, list[str]] = {}
    for record in records:
        known = by_name.setdefault(record.dataset, [])
        if record.data_fingerprint not in known:
            known.append(record.data_fingerprint)
    return {
        (name, fingerprint): name if len(known) == 1 else f"{name} ({short})"
        for name, known in by_name.items()
        for fingerprint, short in zip(known, _shortened(known), strict=True)
    }


def row_labels(rows: Sequence[Record]) -> list[str]:
    """A label a row: its method's title, and where others share that, what tells it from them.

    That is, as far as it does: the student's or the text's name, one setting that differs, or
    the first digits of a hash; several of these where one is not enough.

    Args:
        rows: one record of each.
    """
    labels = []
    for row in rows:
        name = title(row)
        rivals = [other for other in rows if title(other) == name]
        apart = _apart(rivals)[rivals.index(row)] if len(rivals) > 1 else ""
        label = f"{name} ({apart})" if apart else name
        labels.append(f"{label} {FOREIGN}" if row.made_elsewhere else label)
    return labels


def title(row: Record) -> str:
    """What tables call a row's method; records from before titles have its identifier only."""
    return row.title or row.method


def _apart(rows: Sequence[Record]) -> list[str]:
    """For each row the shortest text that no other has."""
    told = list(_told(rows))
    found = [""] * len(rows)
    for facets in (told, [*told, *_hashed(rows)]):  # several that say something before one hash
        for facet in facets:
            if len(set(facet)) == len(rows):
                return facet
        found = [""] * len(rows)
        for facet in facets:
            longer = [", ".join(filter(None, pair)) for pair in zip(found, facet, strict=True)]
            if len(set(longer)) > len(set(found)):
                found = longer
        if len(set(found)) == len(rows):
            return found
    return [f"{text}, no. {place}".lstrip(", ") for place, text in enumerate(found, start=1)]


def _told(rows: Sequence[Record]) -> Iterator[list[str]]:
    """What may tell rows apart and says something, the most telling first."""
    shown: tuple[Callable[[Record], str], ...] = (
        lambda row: row.method,
        lambda row: row.student,
        lambda row: row.semantics,
    )
    for show in shown:
        texts = [show(row) for row in rows]
        if max(map(len, texts)) <= _DISPLAYED:
            yield texts
    yield from _settings(rows)
    if None not in (seeds := [row.training_seed for row in rows]):
        yield [f"training seed {seed}" for seed in seeds]
    yield [row.budget for row in rows]


def _hashed(rows: Sequence[Record]) -> Iterator[list[str]]:
    """What may tell rows apart and says only that they differ."""
    for name, part in (("student", "encoder"), ("text", "semantics"), ("code", "code"),
                       ("settings", "method"), ("recipe", "encoder_recipe")):  # fmt: skip
        hashes = [row.identity.get(part, "") for row in rows]
        if part == "semantics":
            hashes = [row.descriptor_hash or "" for row in rows]
        short = _shortened(hashes)
        yield [f"{name} {each}" if each else f"no {name}" for each in short]
    yield [f"schema {row.schema}" for row in rows]


def _settings(rows: Sequence[Record]) -> list[list[str]]:
    """The settings that all rows have and that differ: "cycle 0.5"; the shortest first.

    The method's own come before its student's and its text's.
    """
    common = set(rows[0].settings).intersection(*(row.settings for row in rows[1:]))
    found = []
    for name in sorted(common):
        values = [str(row.settings[name]) for row in rows]
        if all(map(_is_hash, values)):
            values = _shortened(values)
        depth = name.startswith(("student.", "text.")), max(map(len, values)), name
        found.append((depth, [f"{name.rpartition('.')[2]} {value}" for value in values]))
    return [texts for _, texts in sorted(found)]


def _is_hash(text: str) -> bool:
    return len(text) >= 20 and set(text) <= set("0123456789abcdef")


def _shortened(hashes: Sequence[str]) -> list[str]:
    """As few first digits as tell the different ones apart, and four at least."""
    digits = _DIGITS
    while len({each[:digits] for each in hashes}) < len(set(hashes)):
        digits += 1
    return [each[:digits] for each in hashes]
