"""The walk through the house: images to student to features to methods to records."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import torch
from torch import Tensor

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import Cache, digest, tensor_digest
from syntrans_l2l.datasets.base import SPLITS, Benchmark, check_episode_size
from syntrans_l2l.datasets.features import FeatureBenchmark
from syntrans_l2l.evaluation.episodes import Episodes, cached_episodes
from syntrans_l2l.evaluation.evaluate import answers
from syntrans_l2l.evaluation.statistics import mean_ci95, paired_ci95, percent_right
from syntrans_l2l.methods.base import Arena, Method
from syntrans_l2l.methods.diagnostics import of_answers
from syntrans_l2l.methods.row import Row
from syntrans_l2l.preparation import Encoded, Preparation
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.semantics.text_encoder import TextEncoder
from syntrans_l2l.students import MakeStudent, Students
from syntrans_l2l.teacher import ClipTeacher
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.distillation import Distillation
from syntrans_l2l.training.workers import ALONE, Workers


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What one configuration file describes.

    Args:
        dataset: where images come from.
        student: makes the encoder; None where the data set holds features.
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
        learn2learn()  # episodes come from it

    def _check_what_there_is(self, *, has_base_classes: bool) -> None:
        """Raise ValueError where rows need images or base classes that the data set lacks."""
        features_only = isinstance(self.dataset, FeatureBenchmark)
        if self.student is None and not features_only:
            raise ValueError("bind Experiment.student: this data set holds images, not features")
        for row in self.rows:
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
            data=self.dataset.load(root, cache, progress),
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
            versions: of packages and code, for the records.
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
        for shots in self.shots:
            reference: Tensor | None = None
            for row in rows:
                arena = self.arena(row, preparation)
                record = self._cell(row, arena, shots, reference, store, config, versions)
                if row.title == self.reference:
                    reference = store.accuracies(record)
                yield record

    def arena(self, row: Row, preparation: Preparation) -> Arena:
        """What the row's method works with."""
        encoded, students = Encoded({}, "", "learn2learn CNN4"), preparation.students
        if row.method.uses_student:
            encoded = preparation.encoded(row.encoder)
        encoder = row.text_encoder or self.text_encoder
        uses_text = row.method.uses_text and encoder is not None
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
        )

    def _cell(
        self,
        row: Row,
        arena: Arena,
        shots: int,
        reference: Tensor | None,
        store: RecordStore,
        config: str,
        versions: Mapping[str, str],
    ) -> Record:
        """One method at one number of shots: found in the store, or computed and written."""
        method, semantics = row.method, arena.semantics
        key = {
            "data": arena.data.fingerprint,
            "method": row.title,
            "settings": method.settings(),
            "student": arena.student,
            "semantics": semantics.digest if semantics else "",
            "size": [self.ways, shots, self.queries, self.episodes, self.validation_episodes],
            "reference": "" if reference is None else tensor_digest({"accuracies": reference})[:20],
            "seed": self.seed,
            "code": versions["code"],
        }
        record_id = digest(key)
        if (found := store.find(record_id)) is not None:
            return found
        start = time.perf_counter()
        predictor = method.prepare(arena, self.draw("validation", shots, arena))
        test = self.draw("test", shots, arena).first(method.episodes or self.episodes)
        stage = f"{row.title}, {shots}-shot"
        said = answers(predictor.predict, test, progress=arena.progress, stage=stage)
        seconds = time.perf_counter() - start
        accuracies = percent_right(said, test.query_labels())
        mean = mean_ci95(accuracies)
        delta = None
        if reference is not None and row.title != self.reference:
            delta = paired_ci95(accuracies, reference[: len(accuracies)])
        names = arena.data.test.class_names
        tensors = of_answers(said, test, len(names)) | predictor.diagnose(test)
        per_episode = store.save_accuracies(record_id, accuracies, self.ways * self.queries)
        record = Record(
            id=record_id,
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            dataset=arena.data.name,
            method=row.title,
            student=arena.student_name,
            semantics=semantics.source if semantics else "none",
            ways=self.ways,
            shots=shots,
            queries=self.queries,
            episodes=len(accuracies),
            seed=self.seed,
            accuracy=mean.mean,
            ci95=mean.ci95,
            episode_accuracies=per_episode,
            diagnostics=store.save_diagnostics(record_id, tensors, names),
            delta_vs=self.reference if delta else None,
            delta=delta.mean if delta else None,
            delta_ci95=delta.ci95 if delta else None,
            uses_text=method.uses_text,
            uses_teacher_images=row.uses_teacher_images,
            is_transductive=method.is_transductive,
            selected=predictor.selected,
            budget=predictor.budget,
            config=config,
            versions=dict(versions),
            seconds=seconds,
            descriptor_hash=semantics.digest if semantics else None,
            data_fingerprint=arena.data.fingerprint,
        )
        store.append(record)
        return record

    def draw(self, split: str, shots: int, arena: Arena) -> Episodes:
        """The episodes of a split, the same for every row."""
        return cached_episodes(
            arena.cache,
            getattr(arena.data, split),
            split,
            arena.data.fingerprint,
            ways=self.ways,
            shots=shots,
            queries=self.queries,
            count=self.episodes if split == "test" else self.validation_episodes,
            seed=self.seed,
            progress=arena.progress,
        )
