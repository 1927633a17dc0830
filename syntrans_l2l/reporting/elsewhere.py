"""Records of rows that were computed elsewhere, on exported episodes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from safetensors import SafetensorError
from torch import Tensor

from syntrans_l2l.cache import digest, tensor_digest
from syntrans_l2l.episodes.episode_file import EpisodeFile
from syntrans_l2l.evaluation.diagnostics import of_answers
from syntrans_l2l.evaluation.statistics import Mean, mean_ci95, paired_ci95, percent_right
from syntrans_l2l.reporting.collection import newest
from syntrans_l2l.reporting.identity import PARTS
from syntrans_l2l.reporting.record import ELSEWHERE
from syntrans_l2l.reporting.records import (
    Record,
    RecordStore,
    read_diagnostics,
    read_records,
)

NOT_STATED = "not stated"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What the author of a row says of it; nobody here can check it.

    Args:
        method: what tables call it.
        encoder: what its features come from.
        uses_text: whether it has seen text of the classes.
        uses_teacher_images: whether images went through a teacher.
        is_transductive: whether the queries of an episode see each other.

    Raises:
        ValueError: the method has no name.
    """

    method: str
    encoder: str = NOT_STATED
    uses_text: bool = False
    uses_teacher_images: bool = False
    is_transductive: bool = False

    def __post_init__(self) -> None:
        if not self.method.strip():
            raise ValueError("a row needs a name, such as --method Ours")


def add_answers(store: RecordStore, file: EpisodeFile, declared: Declared, said: Tensor) -> Record:
    """Add the record of a row by what it answered, [E, N * Q]; raises as `add_accuracies`."""
    accuracies = percent_right(said, file.episodes.query_labels())
    tensors = of_answers(said, file.episodes, len(file.class_names))
    return _add(store, file, declared, accuracies, tensors)


def add_accuracies(
    store: RecordStore, file: EpisodeFile, declared: Declared, accuracies: Tensor
) -> Record:
    """Add the record of a row by its accuracy in each episode, [E], in percent.

    The difference to the reference of the folder's other records is paired.

    Raises:
        ValueError: the folder holds records, and none of them is on these episodes.
    """
    return _add(store, file, declared, accuracies, {"accuracies": accuracies})


def _add(
    store: RecordStore,
    file: EpisodeFile,
    declared: Declared,
    accuracies: Tensor,
    tensors: Mapping[str, Tensor],
) -> Record:
    reference = _reference(store, file)
    mean, delta = mean_ci95(accuracies), None
    if reference is not None:
        delta = _difference(accuracies, store.accuracies(reference))
    episodes, says = file.episodes, asdict(declared)
    compared = reference.id if reference else ""
    content = tensor_digest({"accuracies": accuracies})
    record_id = digest(
        {**says, "accuracies": content, "data": file.data_fingerprint, "reference": compared,
         "size": [episodes.ways, episodes.shots, episodes.queries, file.seed]}
    )  # fmt: skip
    known = dict.fromkeys(PARTS, "") | {
        "method": digest(says),
        "encoder": digest({"elsewhere": declared.encoder}),
        "encoder_recipe": digest({"elsewhere": declared.encoder}),
        "data": file.data_fingerprint,
    }
    record = Record(
        id=record_id,
        finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        dataset=file.dataset,
        method=declared.method,
        student=declared.encoder,
        semantics=NOT_STATED if declared.uses_text else "none",
        ways=episodes.ways,
        shots=episodes.shots,
        queries=episodes.queries,
        episodes=len(accuracies),
        seed=file.seed,
        accuracy=mean.mean,
        ci95=mean.ci95,
        episode_accuracies=store.save_accuracies(
            record_id, accuracies, episodes.ways * episodes.queries
        ),
        diagnostics=store.save_diagnostics(record_id, tensors, file.class_names),
        delta_vs=reference.method if reference else None,
        delta=delta.mean if delta else None,
        delta_ci95=delta.ci95 if delta else None,
        uses_text=declared.uses_text,
        uses_teacher_images=declared.uses_teacher_images,
        is_transductive=declared.is_transductive,
        selected={},
        budget=ELSEWHERE,
        config="# made elsewhere, on exported episodes; its author declares the flags\n",
        versions={},
        seconds=0.0,
        descriptor_hash=None,
        data_fingerprint=file.data_fingerprint,
        identity=known,
        settings={},
    )
    store.append(record)
    return record


def _reference(store: RecordStore, file: EpisodeFile) -> Record | None:
    """What the folder's rows on these episodes are compared with; None in an empty folder."""
    records = read_records(store.path)[0] if store.path.exists() else []
    measured = [record for record in records if not record.made_elsewhere]
    same = [record for record in newest(measured)[0] if _on(record, file)]
    if measured and not same:
        data = sorted({f"{r.dataset} {r.shots}-shot, seed {r.seed}" for r in measured})
        raise ValueError(
            f"the episodes of {file.dataset}, {file.episodes.ways}-way {file.episodes.shots}-shot, "
            f"seed {file.seed}, are of other data or another size than the records in {store.out} "
            f"({'; '.join(data)}): export the episodes of that run, or choose another --out"
        )
    if not same:
        return None
    compared = Counter(record.delta_vs for record in same if record.delta_vs)
    named = [name for name, _ in compared.most_common()]
    chosen = next((r for name in named for r in same if r.method == name), same[0])
    _check_drawn(store, chosen, file)
    return chosen


def _on(record: Record, file: EpisodeFile) -> bool:
    ours = (record.data_fingerprint, record.ways, record.shots, record.queries, record.seed)
    episodes = file.episodes
    size = (episodes.ways, episodes.shots, episodes.queries, file.seed)
    return ours == (file.data_fingerprint, *size)


def _check_drawn(store: RecordStore, record: Record, file: EpisodeFile) -> None:
    """Raise ValueError where the first episodes are not those that the record has seen."""
    try:
        tensors, _ = read_diagnostics(store.out / record.diagnostics)
        seen = tensors["shown_support"]
    except (OSError, SafetensorError, KeyError):
        return  # nothing to compare with
    if not file.episodes.support[: len(seen)].equal(seen[: len(file.episodes)]):
        raise ValueError(
            f"the episodes are not those of {record.method} in {store.out}: export them again"
        )


def _difference(ours: Tensor, theirs: Tensor) -> Mean:
    both = min(len(ours), len(theirs))
    return paired_ci95(ours[:both], theirs[:both])
