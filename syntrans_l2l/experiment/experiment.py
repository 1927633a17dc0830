"""The walk through the house: images to student to features to methods to records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import SPLITS, Benchmark, check_episode_size
from syntrans_l2l.datasets.features import FeatureBenchmark
from syntrans_l2l.encoders.students import MakeStudent, Students
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.experiment.cell import Cell, Reference
from syntrans_l2l.experiment.preparation import Encoded, Preparation
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.base import Arena, ChecksSize, Method
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.reporting.identity import with_code
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.semantics.text_encoder import TextEncoder
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.distillation import Distillation
from syntrans_l2l.training.workers import ALONE, Workers


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What one configuration file describes.

    Args:
        dataset: where images come from.
        student: makes the encoder; None where the data set holds features or no row uses it.
        methods: the rows, each evaluated on the same episodes; a plain method is a row on the
            student after base training.
        text_encoder: makes class vectors; None where no method uses text.
        base_training: stage 0.
        teacher: the CLIP of stage 1; None where no row is distilled.
        distillation: stage 1.
        ways: N.
        shots: the values of K.
        queries: Q per class.
        episodes: test episodes.
        validation_episodes: episodes that alpha and its like are picked on.
        reference: the row that paired differences are taken against.
        comparisons: further pairs of rows to report the paired difference of.
        seed: of student, methods and episodes.
    """

    dataset: Benchmark
    student: MakeStudent | None = None
    methods: Sequence[Method | Row]
    text_encoder: TextEncoder | None = None
    base_training: BaseTraining = field(default_factory=BaseTraining)
    teacher: ClipTeacher | None = None
    distillation: Distillation | None = None
    ways: int = 5
    shots: Sequence[int] = (1, 5)
    queries: int = 15
    episodes: int = 10_000
    validation_episodes: int = 2_000
    reference: str = "protonet_cosine"
    comparisons: Sequence[tuple[str, str]] = ()
    seed: int = 0

    @property
    def rows(self) -> list[Row]:
        """The rows of the table, in the order of `methods`."""
        return [
            method if isinstance(method, Row) else Row(method=method) for method in self.methods
        ]

    def check(self, root: Path) -> None:
        """Find what would fail, before any long work.

        Raises:
            FileNotFoundError: images, vectors or the teacher's weights are missing.
            ValueError: a setting does not fit the data.
        """
        names = [row.title for row in self.rows]
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"Experiment.methods must be distinct and not empty, got {names}")
        unknown = {name for pair in self.comparisons for name in pair} - set(names)
        if unknown:
            raise ValueError(
                f"Experiment.comparisons names {sorted(unknown)}, which are no rows; rows: {names}"
            )
        counts = self.dataset.class_counts(root)
        self._check_what_there_is(has_base_classes=bool(counts["train"]))
        for split in SPLITS if counts["train"] else SPLITS[1:]:
            for shots in self.shots:
                check_episode_size(counts[split], ways=self.ways, shots=shots, queries=self.queries)
        classes = [name for split in SPLITS for name in counts[split]]
        for row in self.rows:
            row.check(classes, self.text_encoder, self.teacher, self.distillation)
            if isinstance(row.method, ChecksSize):
                for shots in self.shots:
                    row.method.check(list(counts["train"].values()), ways=self.ways, shots=shots)
        learn2learn()  # episodes come from it

    def _check_what_there_is(self, *, has_base_classes: bool) -> None:
        """Raise ValueError where rows need images or base classes that the data set lacks."""
        features_only = isinstance(self.dataset, FeatureBenchmark)
        for row in self.rows:
            if self.student is None and row.method.uses_student and not features_only:
                raise ValueError(
                    f"{row.title} needs features and this data set holds images: bind "
                    "Experiment.student"
                )
            if features_only and (row.encoder != "base" or not row.method.uses_student):
                raise ValueError(f"{row.title} needs images, and features have none: drop the row")
            if not has_base_classes and row.method.uses_base_classes:
                raise ValueError(
                    f"{row.title} needs base classes, and {self.dataset.name} has none: add "
                    "classes whose split is train, or drop the row"
                )

    def prepare(
        self,
        *,
        root: Path,
        cache: Cache,
        device: torch.device,
        progress: Progress = silent,
        workers: Workers = ALONE,
    ) -> Preparation:
        """Data and encoders, each made when it is first asked for; see `run`."""
        students = Students(
            data=with_code(self.dataset.load(root, cache, progress), self.dataset),
            make=self.student,
            base_training=self.base_training,
            cache=cache,
            device=device,
            seed=self.seed,
            teacher=self.teacher,
            distillation=self.distillation,
            progress=progress,
            workers=workers,
        )
        return Preparation(students)

    def run(
        self,
        *,
        root: Path,
        cache: Cache,
        store: RecordStore,
        config: str,
        versions: Mapping[str, str],
        device: torch.device,
        progress: Progress = silent,
        workers: Workers = ALONE,
    ) -> Iterator[Record]:
        """Train what is not yet trained, evaluate what is not yet evaluated.

        Args:
            root: where the data lies.
            cache: where finished stages lie.
            store: where finished records lie; each is written before it is yielded.
            config: the operative gin text, for the records.
            versions: of packages, for the records.
            device: where to train.
            progress: draws bars.
            workers: who train the students together; all else is rank 0's work.
        """
        with workers.first():
            preparation = self.prepare(
                root=root, cache=cache, device=device, progress=progress, workers=workers
            )
        # the reference first, because the others' differences need it
        rows = sorted(self.rows, key=lambda row: row.title != self.reference)
        for row in rows:  # text before training: it is quick, and its model may be missing
            if row.method.uses_text and (encoder := row.text_encoder or self.text_encoder):
                with workers.first():
                    preparation.semantics(encoder)
        if workers.count > 1 and self.student is not None:
            for row in rows:
                if row.method.uses_student:
                    preparation.student(row.encoder)
        if workers.rank > 0:
            return
        for bank in preparation.mined.values():
            store.keep_bank(bank)
        for shots in self.shots:
            reference: Reference | None = None
            for row in rows:
                arena = self.arena(row, preparation)
                record = self.cell(row, arena, shots).record(reference, store, config, versions)
                if row.title == self.reference:
                    reference = Reference(row.title, store.accuracies(record))
                yield record

    def arena(self, row: Row, preparation: Preparation) -> Arena:
        """What the row's method works with."""
        encoded, students = Encoded({}, "", "learn2learn CNN4"), preparation.students
        if row.method.uses_student:
            encoded = preparation.encoded(row.encoder)
        encoder = row.text_encoder or self.text_encoder
        uses_text = row.method.uses_text and encoder is not None
        text = encoder.key() if uses_text and encoder else {}
        return Arena(
            data=students.data,
            features=encoded.features,
            student=encoded.hash,
            student_name=encoded.name,
            semantics=preparation.semantics(encoder) if uses_text and encoder else None,
            cache=students.cache,
            device=students.device,
            seed=self.seed,
            progress=students.progress,
            recipes={"student": encoded.recipe, "text": text},
        )

    def cell(self, row: Row, arena: Arena, shots: int) -> Cell:
        """A row at one number of shots."""
        return Cell(
            row=row,
            arena=arena,
            size=EpisodeSize(
                ways=self.ways,
                shots=shots,
                queries=self.queries,
                episodes=self.episodes,
                validation_episodes=self.validation_episodes,
            ),
        )
