"""Records of many runs, and which of them are comparable."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from syntrans_l2l.reporting.labels import data_labels, row_labels
from syntrans_l2l.reporting.records import Record, read_records

Column = tuple[str, int]  # label of the data and K
_Data = tuple[str, str]  # name and fingerprint


def collect(folders: Sequence[Path]) -> tuple[list[Record], list[str]]:
    """All records below `folders`, with paths that hold from anywhere, and all problems.

    Raises:
        FileNotFoundError: a folder is missing or holds no results.jsonl.
    """
    records, problems = [], []
    for folder in folders:
        files = sorted(folder.rglob("results.jsonl"))
        if not files:
            raise FileNotFoundError(
                f"no results.jsonl in or below {folder}; benchmarks/run.py --out {folder} makes one"
            )
        for file in files:
            found, wrong = read_records(file)
            problems += wrong
            for record in found:
                accuracies = str(file.parent / record.episode_accuracies)
                diagnostics = str(file.parent / record.diagnostics)
                records.append(
                    replace(record, episode_accuracies=accuracies, diagnostics=diagnostics)
                )
    return records, problems


def newest(records: Iterable[Record]) -> tuple[list[Record], list[Record]]:
    """The best record of each cell of the tables, and the others.

    Two records fill the same cell where their hashes agree (identity.py); of these the one over
    more episodes is kept, then the newer. Records of schema 2 have no hashes: theirs are what a
    table shows, the data and the text.
    """
    kept: dict[tuple[object, ...], Record] = {}
    others = []
    for record in records:
        size = record.ways, record.queries, record.seed, record.shots
        cell = (*size, record.dataset, record.data_fingerprint, record.method, _exact(record))
        rival = kept.get(cell)
        if rival is not None and _worth(rival) > _worth(record):
            others.append(record)
            continue
        if rival is not None:
            others.append(rival)
        kept[cell] = record
    return list(kept.values()), others


@dataclass(frozen=True)
class Line:
    """A row: its records by column, and a name that no other row of its board has."""

    label: str
    cells: Mapping[Column, Record]

    @property
    def first(self) -> Record:
        """One of its records; all agree on what the row is."""
        return next(iter(self.cells.values()))


@dataclass(frozen=True)
class Board:
    """Rows that one table may hold: the same ways, queries and episode seed."""

    columns: Sequence[Column]
    lines: Sequence[Line]

    @property
    def datasets(self) -> list[str]:
        """Labels of the data sets in the order of the columns."""
        return list(dict.fromkeys(dataset for dataset, _ in self.columns))

    @property
    def records(self) -> list[Record]:
        """The records of all cells."""
        return [record for line in self.lines for record in line.cells.values()]


def boards(records: Sequence[Record]) -> list[Board]:
    """Tables apart for other ways, queries or seeds, and for data sets that share no row.

    Different data of one name stand in tables of their own, and their labels say which is which.
    """
    data = data_labels(records)
    sizes: dict[tuple[int, int, int], list[Record]] = {}
    for record in records:
        sizes.setdefault((record.ways, record.queries, record.seed), []).append(record)
    return [
        _board([record for record in group if _data(record) in together], data)
        for group in sizes.values()
        for together in _connected(group, data)
    ]


def stand_on_different_encoders(records: Iterable[Record]) -> bool:
    """Whether some of the records that share a column see features of different encoders."""
    seen: dict[Column, set[tuple[str, str]]] = {}
    for record in records:
        encoder = record.student, record.identity.get("encoder", "")
        seen.setdefault((record.data_fingerprint, record.shots), set()).add(encoder)
    return any(len(encoders) > 1 for encoders in seen.values())


def _board(records: Sequence[Record], data: Mapping[_Data, str]) -> Board:
    order = list(dict.fromkeys(data[_data(record)] for record in records))
    rows = [
        {(data[_data(record)], record.shots): record for record in row} for row in _rows(records)
    ]
    columns = sorted(
        {column for row in rows for column in row},
        key=lambda column: (order.index(column[0]), column[1]),
    )
    labels = row_labels([next(iter(row.values())) for row in rows])
    cells = [{column: row[column] for column in columns if column in row} for row in rows]
    return Board(columns, [Line(*pair) for pair in zip(labels, cells, strict=True)])


def _connected(records: Sequence[Record], data: Mapping[_Data, str]) -> list[set[_Data]]:
    """Data sets that share rows, directly or through a third."""
    order = list(dict.fromkeys(map(_data, records)))
    groups: list[set[_Data]] = []
    for row in _rows(records):
        found = set(map(_data, row))
        alone = [{each} for each in found if data[each] != each[0]]  # others share its name
        for part in filter(None, [*alone, found.difference(*alone)]):
            apart = [group for group in groups if not group & part]
            groups = [*apart, part.union(*(group for group in groups if group & part))]
    return sorted(groups, key=lambda group: min(map(order.index, group)))


def _rows(records: Iterable[Record]) -> list[list[Record]]:
    """Records that are one row in several columns.

    They agree in what holds across data (`_kind`). Where one data set has several of a kind,
    such as two files of vectors under one name, nothing says which of them another data set's
    belongs to, and each is a row of its own.
    """
    kinds: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        kinds.setdefault(_kind(record), []).append(record)
    rows: dict[tuple[object, ...], list[Record]] = {}
    for kind, group in kinds.items():
        exact: dict[_Data, set[tuple[str, ...]]] = {}
        for record in group:
            exact.setdefault(_data(record), set()).add(_exact(record))
        for record in group:
            several = len(exact[_data(record)]) > 1
            own = (_data(record), _exact(record)) if several else ()
            rows.setdefault((kind, own), []).append(record)
    return list(rows.values())


def _data(record: Record) -> _Data:
    return record.dataset, record.data_fingerprint


def _kind(record: Record) -> tuple[str, ...]:
    """What a row is, whatever the data."""
    if not record.identity:
        return record.method, record.semantics, record.student, record.budget
    parts = ("method", "code", "encoder_recipe", "semantics_kind")
    return record.method, *(record.identity[part] for part in parts)


def _exact(record: Record) -> tuple[str, ...]:
    """What a row is on its data."""
    text = record.descriptor_hash or ""
    if not record.identity:
        return *_kind(record), text
    return *_kind(record), record.identity["encoder"], text


def _worth(record: Record) -> tuple[int, str]:
    return record.episodes, record.finished
