"""Records of many runs, and which of them are comparable."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from syntrans_l2l.reporting.records import Record, read_records

Column = tuple[str, int]  # data set and K


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
    for name in dict.fromkeys(record.dataset for record in records):
        data = {record.data_fingerprint for record in records if record.dataset == name}
        if len(data) > 1:
            problems.append(
                f"{name}: records of {len(data)} different data share this name, and of like rows "
                "the newest is shown; give the leaderboard their folders one at a time"
            )
    return records, problems


def newest(records: Iterable[Record]) -> tuple[list[Record], list[Record]]:
    """The newest record of each cell of the tables, and the older ones.

    Two records fill the same cell where all that a table shows of them is the same; rows that
    differ in other settings need names of their own (`Row.name`).
    """
    kept: dict[tuple[object, ...], Record] = {}
    older = []
    for record in records:
        cell = (record.ways, record.queries, record.seed, _column(record), _row(record))
        rival = kept.get(cell)
        if rival is not None and rival.finished > record.finished:
            older.append(record)
            continue
        if rival is not None:
            older.append(rival)
        kept[cell] = record
    return list(kept.values()), older


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
        """Names of the data sets in the order of the columns."""
        return list(dict.fromkeys(dataset for dataset, _ in self.columns))

    @property
    def records(self) -> list[Record]:
        """The records of all cells."""
        return [record for line in self.lines for record in line.cells.values()]


def boards(records: Sequence[Record]) -> list[Board]:
    """Tables apart for other ways, queries or seeds, and for data sets that share no row."""
    sizes: dict[tuple[int, int, int], list[Record]] = {}
    for record in records:
        sizes.setdefault((record.ways, record.queries, record.seed), []).append(record)
    return [
        _board([record for record in group if record.dataset in datasets])
        for group in sizes.values()
        for datasets in _connected(group)
    ]


def _board(records: Sequence[Record]) -> Board:
    datasets = list(dict.fromkeys(record.dataset for record in records))
    columns = sorted(
        {_column(record) for record in records},
        key=lambda column: (datasets.index(column[0]), column[1]),
    )
    rows: dict[tuple[object, ...], dict[Column, Record]] = {}
    for record in records:
        rows.setdefault(_row(record), {})[_column(record)] = record
    methods = [str(row[0]) for row in rows]
    lines = []
    for (method, *others), cells in rows.items():
        alone = methods.count(str(method)) == 1
        label = str(method) if alone else f"{method} ({', '.join(map(str, others))})"
        lines.append(Line(label, cells))
    return Board(columns, lines)


def _connected(records: Iterable[Record]) -> list[set[str]]:
    """Data sets that share rows, directly or through a third."""
    by_row: dict[tuple[object, ...], set[str]] = {}
    for record in records:
        by_row.setdefault(_row(record), set()).add(record.dataset)
    groups: list[set[str]] = []
    for datasets in by_row.values():
        apart = [group for group in groups if not group & datasets]
        groups = [*apart, datasets.union(*(group for group in groups if group & datasets))]
    return groups


def _column(record: Record) -> Column:
    return record.dataset, record.shots


def _row(record: Record) -> tuple[object, ...]:
    return record.method, record.semantics, record.student, record.budget
