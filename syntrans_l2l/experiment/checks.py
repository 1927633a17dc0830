"""What an experiment finds out before any long work."""

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence

from syntrans_l2l.datasets.base import Benchmark, FewShotData, Split, check_episode_size
from syntrans_l2l.encoders.base import Encoder
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.experiment.cross_domain import CrossDomain
from syntrans_l2l.experiment.overlap import named_classes, shared_classes
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.base import Method
from syntrans_l2l.semantics.checks import check_classes
from syntrans_l2l.semantics.text_encoder import TextEncoder

DEFAULT_REFERENCE = "protonet_cosine"

Counts = Mapping[str, dict[str, int]]  # images of each class, by split

# what each part of an experiment is known by, and how a gin file gives one
_PARTS = {
    "dataset": ("class_counts", "@CifarFs()"),
    "student_dataset": ("class_counts", "@CifarFs()"),
    "test_dataset": ("class_counts", "@Fc100()"),
    "teacher_text": ("encode_classes", "@VectorFile()"),
    "text_encoder": ("encode_classes", "@SentenceEncoder()"),
    "base_training": ("epochs", "@BaseTraining()"),
    "teacher": ("source", "@ClipTeacher()"),
    "distillation": ("epochs", "@Distillation()"),
}


def check_parts(parts: Mapping[str, object]) -> None:
    """Raise ValueError where a part of an experiment is none, such as a class for its object.

    Args:
        parts: by the field of `Experiment`; None where it has none.
    """
    for name, (attribute, example) in _PARTS.items():
        part = parts[name]
        if part is not None and (inspect.isclass(part) or not hasattr(part, attribute)):
            raise ValueError(f"Experiment.{name} must be made as by {example}, got {part!r:.80}")
    if not (parts["student"] is None or callable(parts["student"])):
        raise ValueError(
            "Experiment.student must be what makes a network, such as @resnet12, got "
            f"{parts['student']!r:.80}"
        )
    methods = parts["methods"]
    if isinstance(methods, str) or not isinstance(methods, Sequence) or not methods:
        raise ValueError(
            f"Experiment.methods must be a list such as [@ProtoNet()], got {methods!r:.80}"
        )
    if wrong := [each for each in methods if not isinstance(each, Method | Row)]:
        raise ValueError(
            "Experiment.methods must hold methods and rows, made as by @ProtoNet() with its "
            f"brackets, got {wrong[0]!r:.80}"
        )


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise ValueError where a value is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, got {value!r:.80}")


def sizes_for(shots: Sequence[int], **numbers: int) -> list[EpisodeSize]:
    """The size of the episodes for each K.

    Args:
        shots: the values of K.
        numbers: what else an `EpisodeSize` has.

    Raises:
        ValueError: a number is no whole number, or too small.
    """
    if isinstance(shots, str) or not isinstance(shots, Sequence) or not shots:
        example = f"[{shots}]" if isinstance(shots, int) else "[1, 5]"
        raise ValueError(f"Experiment.shots must be a list such as {example}, got {shots!r:.80}")
    try:
        return [EpisodeSize(shots=each, **numbers) for each in shots]
    except ValueError as error:
        raise ValueError(f"Experiment.{error}") from None


def check_pairs(comparisons: object) -> None:
    """Raise ValueError where comparisons are no pairs of names."""
    pairs = comparisons if isinstance(comparisons, Sequence) else ()
    if pairs is not comparisons or not all(
        isinstance(pair, list | tuple) and [type(name) for name in pair] == [str, str]
        for pair in pairs
    ):
        raise ValueError(
            "Experiment.comparisons must be pairs of rows such as [('syntrans', 'zero_shot')], "
            f"got {comparisons!r:.80}"
        )


def check_names(
    titles: Sequence[str], reference: str, comparisons: Sequence[tuple[str, str]]
) -> None:
    """Raise ValueError where rows share a name, or one is named that there is not."""
    if not titles:
        raise ValueError("there are no rows: Experiment.methods is empty")
    if twice := [title for title, count in Counter(titles).items() if count > 1]:
        raise ValueError(
            f"two rows are called {twice[0]!r}: give one of them another name, as "
            "Row(method=..., name='...')"
        )
    if reference not in titles and reference != DEFAULT_REFERENCE:
        raise ValueError(f"Experiment.reference {reference!r} is no row; rows: {titles}")
    unknown = {name for pair in comparisons for name in pair} - set(titles)
    if unknown:
        raise ValueError(
            f"Experiment.comparisons names {sorted(unknown)}, which are no rows; rows: {titles}"
        )


def check_data(methods: Sequence[Method], counts: Counts, sizes: Sequence[EpisodeSize]) -> None:
    """Raise ValueError where a split that is used cannot fill episodes; the message names it.

    Validation counts only where a method selects on it, and then it may have fewer classes than
    ways, unless a method learns for the test's ways only. Base classes count where a method
    trains on them.
    """
    used = ["test"]
    if any(method.selects for method in methods):
        used.insert(0, "validation")
    if counts["train"] and any(method.uses_base_classes for method in methods):
        used.insert(0, "train")
    fixed = [each.name for each in methods if each.selects and each.fixed_ways]
    for split in used:
        for size in sizes:
            ways = size.ways
            if split == "validation" and ways > len(counts[split]):
                if fixed:
                    raise ValueError(
                        f"validation classes: {fixed[0]} is trained for {ways} ways, and there are "
                        f"only {len(counts[split])} classes: add validation classes, lower the "
                        "ways, or set TaskTraining.validate_every = 0"
                    )
                ways = max(2, len(counts[split]))
            try:
                check_episode_size(counts[split], ways=ways, shots=size.shots, queries=size.queries)
            except ValueError as error:
                raise ValueError(f"{split} classes: {error}") from None


def check_apart(base: Split, data: FewShotData) -> None:
    """Raise ValueError where a student knows validation or novel classes from elsewhere."""
    if known := _to_be_recognised(base, data):
        raise ValueError(
            f"Experiment.student_dataset has base classes that are validation or novel classes of "
            f"{data.name}: {', '.join(known[:8])}; leave them out of the splits of {data.name}"
        )


def check_prototypes(data: FewShotData) -> None:
    """Raise ValueError where stage 1 would read the name of a class that is recognised later."""
    if known := _to_be_recognised(data.train, data):
        raise ValueError(
            f"stage 1 would read the names of validation or novel classes: {', '.join(known[:8])}; "
            "leave these out of the base classes"
        )


def _to_be_recognised(base: Split, data: FewShotData) -> list[str]:
    """The validation and novel classes that are among these base classes."""
    to_come = [*named_classes(data.validation), *named_classes(data.test)]
    return shared_classes(named_classes(base), to_come)


def check_encoders(encoders: Mapping[str, Encoder], size: int | None) -> None:
    """Ask each encoder once, however many rows stand on it.

    Args:
        encoders: by the title of their row.
        size: pixels of a picture's side; None where the data set holds features.

    Raises:
        FileNotFoundError: an encoder's weights are missing.
        ValueError: pictures or settings do not fit; the message names the row.
    """
    asked: set[int] = set()
    for title, encoder in encoders.items():
        if id(encoder) in asked:
            continue
        asked.add(id(encoder))
        try:
            encoder.check(size)
        except ValueError as error:
            raise ValueError(f"{title}: {error}") from error


def check_test_pictures(
    methods: Sequence[Method], encoders: Mapping[str, Encoder], data: CrossDomain
) -> None:
    """Find out whether what is trained on the pictures of one data set takes those of another.

    Args:
        methods: of the rows.
        encoders: by the title of their row.
        data: both data sets.

    Raises:
        ValueError: it does not; the message says which size to set.
    """
    source, target = data.source, data.target
    if source.size == target.size:
        return
    if source.size is None or target.size is None:
        raise ValueError(
            f"{data.name}: one data set holds features, the other images: export the features of "
            "both with one encoder"
        )
    for method in methods:
        if not method.uses_student:
            raise ValueError(
                f"{method.name} is trained on pictures of {source.size} px and {target.name} has "
                f"{target.size} px: {data.advice()}"
            )
    try:
        check_encoders(encoders, target.size)
    except ValueError as error:
        raise ValueError(f"{error}; {data.advice()}") from error


def check_row(
    row: Row,
    encoder: Encoder,
    text_encoder: TextEncoder | None,
    dataset: Benchmark,
    counts: Counts,
) -> None:
    """Find what would fail later in a row.

    Raises:
        ValueError: something that the row needs is missing or does not fit.
    """
    method = row.method
    if dataset.size is None and not method.uses_student:
        raise ValueError(f"{row.title} needs images, and features have none: drop the row")
    if not counts["train"] and method.uses_base_classes:
        raise ValueError(
            f"{row.title} needs base classes, and {dataset.name} has none: add "
            "classes whose split is train, or drop the row"
        )
    if method.uses_text:
        if text_encoder is None:
            raise ValueError(f"{row.title} uses text: bind Experiment.text_encoder")
        width = check_classes(text_encoder, [name for split in counts.values() for name in split])
        space = encoder.semantic_dim if method.uses_student else None
        if None not in (width, space) and width != space:
            raise ValueError(
                f"{row.title}: the features of {encoder.name} have width {space}, the vectors of "
                f"{text_encoder.source} {width}; encode the text with the teacher"
            )
