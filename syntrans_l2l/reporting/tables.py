"""The leaderboard: methods in rows, data sets and shots in columns."""

from collections.abc import Mapping, Sequence

from syntrans_l2l.datasets.contents import some_of
from syntrans_l2l.reporting.collection import Board, Column, Line, stand_on_different_encoders
from syntrans_l2l.reporting.controls import controls
from syntrans_l2l.reporting.grid import FOREIGN, MINUS_SHUFFLED, QUOTED, Cell, Estimate, Grid, Mark
from syntrans_l2l.reporting.labels import title
from syntrans_l2l.reporting.published import Quote, sources
from syntrans_l2l.reporting.records import Record
from syntrans_l2l.reporting.ties import Accuracies, difference, ranks, tied_groups

_NOTES = {
    "generated": "The images of generated are drawn by this package: the numbers say nothing "
    "about photographs."
}
ENCODERS_DIFFER = (
    "Rows stand on different encoders: a difference between two of these is one of encoders too."
)
_ABOUT = ("encoder", "text", "teacher images", "transductive", "episodes", "own training")


def leaderboard(
    board: Board,
    accuracies: Accuracies,
    *,
    quotes: Sequence[Quote] = (),
    details: bool = False,
) -> Grid:
    """The table of a board.

    Args:
        board: its rows.
        accuracies: the accuracies of a record's episodes, [E].
        quotes: published rows, below a rule and with a mark.
        details: also what was selected.

    Where there are any, two differences follow each accuracy, both over the same episodes: to the
    reference of the run, as recorded, and to the row's own shuffled control, which is what its
    text is worth.
    """
    marks, rank = _ranking(board, accuracies)
    own = {column: controls(board, column) for column in board.columns}
    header = ["method"]
    for column in board.columns:
        header.append(name(board, column))
        if references := _references(board, column):
            header.append(f"minus {references}")
        if own[column]:
            header.append(MINUS_SHUFFLED)
    header += ["rank"] if rank else []
    header += [*_ABOUT, "selected on validation"] if details else _ABOUT
    measured = []
    for line in board.lines:
        row: list[Cell] = [line.label]
        for column in board.columns:
            record = line.cells.get(column)
            row.append(_accuracy(record, marks) if record else None)
            if _references(board, column):
                row.append(_delta(record))
            if own[column]:
                row.append(_worth(record, own[column], accuracies))
        row += [f"{rank[line.label]:.1f}" if line.label in rank else None] if rank else []
        row += _about(board, line)
        row += [_selected(board, line)] if details else []
        measured.append(row)
    places = {name(board, column): column for column in board.columns}
    encoder = header.index("encoder")
    groups: dict[str, list[list[Cell]]] = {}  # below a rule each
    for quote in quotes:
        groups.setdefault(quote.group, []).append([
            f"{quote.method} {QUOTED} {', '.join(quote.sources)}",
            *(quote.cells.get(places[title]) if title in places else None
              for title in header[1:encoder]),
            quote.backbone,
            *[None] * (len(header) - encoder - 1),
        ])  # fmt: skip
    return Grid(
        _caption(board, quotes, bool(rank), any(own.values())), header, [measured, *groups.values()]
    )


def name(board: Board, column: Column) -> str:
    """The header of a column: the data set is left out where there is one only."""
    dataset, shots = column
    return f"{shots}-shot" if len(board.datasets) == 1 else f"{dataset} {shots}-shot"


def _ranking(board: Board, accuracies: Accuracies) -> tuple[dict[str, Mark], dict[str, float]]:
    """Marks by record id, and the average rank of each row that has all columns, by label."""
    complete = [line for line in board.lines if len(line.cells) == len(board.columns)]
    marks: dict[str, Mark] = {}
    total = {line.label: 0.0 for line in complete}
    for column in board.columns:
        present = [line.cells[column] for line in board.lines if column in line.cells]
        groups = tied_groups(present, accuracies)
        places: tuple[Mark, Mark] = ("best", "second")
        for mark, group in zip(places, groups, strict=False):
            marks |= {record.id: mark for record in group}
        if len(complete) < len(present):
            groups = tied_groups([line.cells[column] for line in complete], accuracies)
        rank = ranks(groups)
        for line in complete:
            total[line.label] += rank[line.cells[column].id] / len(board.columns)
    return marks, total


def _caption(board: Board, quotes: Sequence[Quote], ranked: bool, controlled: bool) -> str:
    """What the numbers of the table are."""
    record = board.lines[0].first
    parts = [
        f"{', '.join(board.datasets)}, {record.ways}-way, {record.queries} queries a class, "
        f"episode seed {record.seed}. Accuracy in % with its 95% confidence interval. The best "
        "and the second of a column are marked with all that do not differ from them: 95% "
        "interval of the difference, paired where the episodes are the same."
    ]
    if ranked:
        parts.append("Rank: mean over the columns, ties share theirs, complete rows only.")
    if any(title(record).startswith("SynTrans") for record in board.records):
        parts.append("SynTrans is this package's reconstruction, not its authors' code.")
    if controlled:
        parts.append(
            f"{MINUS_SHUFFLED[0].upper()}{MINUS_SHUFFLED[1:]}: paired difference to the row's own "
            "control, each class under another's text: what the text is worth."
        )
    parts.append("BatchNorm in eval mode unless a row is transductive.")
    if stand_on_different_encoders(board.records):
        parts.append(ENCODERS_DIFFER)
    names = dict.fromkeys(record.dataset for record in board.records)
    parts += [_NOTES[dataset] for dataset in names if dataset in _NOTES]
    shared = {record.dataset: record.shared_classes for record in board.records}
    parts += [
        f"{some_of(classes, f'test classes of {dataset} are also train or validation classes')}."
        for dataset, classes in shared.items()
        if classes
    ]
    foreign = any(record.made_elsewhere for record in board.records)
    if foreign:
        parts.append(
            f"Rows with {FOREIGN} were made elsewhere, on the same episodes; what they have seen "
            "is what their author says."
        )
    if quotes:
        where = "on these episodes" if foreign else "here"
        parts.append(
            f"Rows with {QUOTED} are quoted, on other episodes, and neither marked nor ranked; all "
            f"others are measured {where}. Sources: {sources(quotes)}."
        )
    if groups := list(dict.fromkeys(quote.group for quote in quotes if quote.group)):
        parts.append(f"Below the last rule: {', '.join(groups)}.")
    return " ".join(parts)


def _about(board: Board, line: Line) -> list[Cell]:
    record = line.first
    episodes = sorted({each.episodes for each in line.cells.values()})
    return [
        record.student,
        record.semantics if record.uses_text else "no",
        "yes" if record.uses_teacher_images else "no",
        "yes" if record.is_transductive else "no",
        " / ".join(f"{count:,}" for count in episodes),
        _budget(board, line),
    ]


def _budget(board: Board, line: Line) -> str:
    """How the row was trained; by columns where these were not trained alike."""
    told = {name(board, column): record.budget for column, record in line.cells.items()}
    if len(set(told.values())) == 1:
        return line.first.budget
    return "; ".join(f"{column}: {budget}" for column, budget in told.items())


def _accuracy(record: Record, marks: dict[str, Mark]) -> Estimate:
    return Estimate(record.accuracy, record.ci95, marks.get(record.id, ""))


def _references(board: Board, column: Column) -> str:
    found = (line.cells[column].delta_vs for line in board.lines if column in line.cells)
    titles = {line.first.method: title(line.first) for line in board.lines}
    return " / ".join(dict.fromkeys(titles.get(each, each) for each in found if each))


def _delta(record: Record | None) -> Estimate | None:
    if record is None or record.delta is None:
        return None
    return Estimate(record.delta, record.delta_ci95, signed=True)


def _worth(
    record: Record | None, own: Mapping[str, Record], accuracies: Accuracies
) -> Estimate | None:
    """The row minus its shuffled control; None for a row that has none."""
    if record is None or record.id not in own:
        return None
    delta = difference(record, own[record.id], accuracies)
    return Estimate(delta.mean, delta.ci95, signed=True)


def _selected(board: Board, line: Line) -> str:
    parts = []
    if line.first.made_elsewhere:
        return "not stated"
    for column, record in line.cells.items():
        if isinstance(values := record.selected.get("values"), dict):
            chosen = ", ".join(f"{key} {value}" for key, value in values.items())
            parts.append(f"{name(board, column)}: {chosen}")
    return "; ".join(parts) or "nothing"
