"""What one configuration file describes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import get_args

import torch

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import Benchmark
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.encoders.base import Encoder, Workspace
from syntrans_l2l.encoders.brought import FeaturesOfTheData
from syntrans_l2l.encoders.clip import ClipEncoder, Teacher
from syntrans_l2l.encoders.distilled import DistilledStudent, ProjectedEncoder, Stage1
from syntrans_l2l.encoders.given import GivenFeatures
from syntrans_l2l.encoders.students import BaseStudent, MakeStudent
from syntrans_l2l.episodes.size import EpisodeSize, check_whole_number
from syntrans_l2l.experiment.checks import (
    DEFAULT_REFERENCE,
    check_apart,
    check_choice,
    check_data,
    check_encoders,
    check_names,
    check_pairs,
    check_parts,
    check_prototypes,
    check_row,
    check_test_pictures,
    sizes_for,
)
from syntrans_l2l.experiment.cross_domain import CrossDomain, Shared
from syntrans_l2l.experiment.kinds import check_kinds
from syntrans_l2l.experiment.preparation import Preparation
from syntrans_l2l.experiment.row import EncoderName, Row
from syntrans_l2l.experiment.teacher_text import TextOfTeacher
from syntrans_l2l.experiment.walk import Walk
from syntrans_l2l.methods.base import Method
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.reporting.identity import with_code
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.reporting.versions import package_versions
from syntrans_l2l.semantics.text_encoder import TextEncoder
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.distillation import Distillation
from syntrans_l2l.training.job import CPU, Job
from syntrans_l2l.training.workers import ALONE, Workers


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What one configuration file describes.

    Args:
        dataset: where images come from.
        test_dataset: another data set, whose test classes are tested on; training and validation
            keep to `dataset`. None tests on `dataset` too.
        shared_classes: what happens to test classes of `test_dataset` that are also train or
            validation classes of `dataset`, by name or by WordNet id: "refuse" raises, "drop"
            leaves them out, "keep" tests on them all the same.
        student: makes the encoder; None where the data set holds features or no row uses it.
        methods: the rows, each evaluated on the same episodes; a plain method is a row on the
            student after base training.
        text_encoder: makes class vectors; None where no method uses text.
        base_training: stage 0.
        student_dataset: whose base classes the student is trained on in stage 0; None takes
            `dataset`.
        teacher: the CLIP of stage 1, or features that it has made; None where no row is
            distilled, or where features bring teacher_features along.
        teacher_text: the teacher's vectors of class names; None takes its own text tower.
        distillation: stage 1.
        ways: N.
        shots: the values of K.
        queries: Q per class.
        episodes: test episodes.
        validation_episodes: episodes that alpha and its like are picked on.
        reference: the row that paired differences are taken against. Only the default may be
            no row; there are no differences then.
        comparisons: further pairs of rows to report the paired difference of.
        seed: of the episodes.
        training_seed: of students and methods; None takes `seed`.

    Raises:
        ValueError: a setting is not of its kind, or names a row that there is not.
    """

    dataset: Benchmark
    student: MakeStudent | None = None
    methods: Sequence[Method | Row]
    text_encoder: TextEncoder | None = None
    base_training: BaseTraining = field(default_factory=BaseTraining)
    student_dataset: Benchmark | None = None
    teacher: Teacher | None = None
    teacher_text: TextEncoder | None = None
    distillation: Distillation | None = None
    ways: int = 5
    shots: Sequence[int] = (1, 5)
    queries: int = 15
    episodes: int = 10_000
    validation_episodes: int = 2_000
    reference: str = DEFAULT_REFERENCE
    comparisons: Sequence[tuple[str, str]] = ()
    seed: int = 0
    training_seed: int | None = None
    test_dataset: Benchmark | None = None
    shared_classes: Shared = "refuse"

    def __post_init__(self) -> None:
        check_parts(vars(self))
        check_pairs(self.comparisons)
        check_choice("Experiment.shared_classes", self.shared_classes, get_args(Shared))
        check_kinds([self.methods, self.base_training, self.distillation])
        _ = self.sizes
        check_whole_number("Experiment.seed", self.seed)
        if self.training_seed is not None:
            check_whole_number("Experiment.training_seed", self.training_seed)
        check_names([row.title for row in self.rows], self.reference, self.comparisons)

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of the table, in the order of `methods`."""
        return [
            method if isinstance(method, Row) else Row(method=method) for method in self.methods
        ]

    @cached_property
    def sizes(self) -> list[EpisodeSize]:
        """The size of the episodes for each K.

        Raises:
            ValueError: a number is no whole number, or too small.
        """
        return sizes_for(
            self.shots,
            ways=self.ways,
            queries=self.queries,
            episodes=self.episodes,
            validation_episodes=self.validation_episodes,
        )

    @cached_property
    def data(self) -> Benchmark:
        """What rows see: `dataset`, with the test classes of `test_dataset` where there is one."""
        if self.test_dataset is None:
            return self.dataset
        return CrossDomain(self.dataset, self.test_dataset, self.shared_classes)

    @cached_property
    def encoders(self) -> Mapping[EncoderName, Encoder]:
        """What rows call "base", "distilled" and "teacher"."""
        student = BaseStudent(self.student, self.base_training)
        base: Encoder = student
        if self.dataset.size is None:
            given = [each for each in (self.dataset, self.test_dataset) if each is not None]
            base = GivenFeatures(
                any(isinstance(each, FeatureBenchmark) and each.of_teacher for each in given)
            )
        text = self.text_of_teacher
        stage_1 = Stage1(
            self.source_of_teacher, self.distillation, text.of_base_classes if text else None
        )
        frozen = self.distillation is None or self.distillation.encoder == "frozen"
        return {
            "base": base,
            "distilled": ProjectedEncoder(base, stage_1)
            if frozen
            else DistilledStudent(student, stage_1),
            "teacher": ClipEncoder(self.source_of_teacher),
        }

    @property
    def source_of_teacher(self) -> Teacher | None:
        """The teacher that is bound, or what features bring along."""
        given = self.teacher is None and self.dataset.size is None
        return FeaturesOfTheData() if given else self.teacher

    @cached_property
    def text_of_teacher(self) -> TextOfTeacher | None:
        """The teacher's vectors of class names; None where there are none."""
        return TextOfTeacher.of(self.teacher_text, self.teacher)

    def encoder(self, row: Row) -> Encoder:
        """Whose features the row's method sees."""
        return self.encoders[row.encoder] if isinstance(row.encoder, str) else row.encoder

    def check(self, root: Path) -> None:
        """Find what would fail, before any long work: every row is asked.

        Raises:
            FileNotFoundError: images, vectors or an encoder's weights are missing.
            ImportError: learn2learn, which episodes come from, is not installed.
            ValueError: a setting does not fit the data.
        """
        counts = self.data.class_counts(root)
        check_data([row.method for row in self.rows], counts, self.sizes)
        used = {row.title: self.encoder(row) for row in self.rows if row.method.uses_student}
        check_encoders(used, self.dataset.size)
        if isinstance(self.data, CrossDomain):
            check_test_pictures([row.method for row in self.rows], used, self.data)
        for row in self.rows:
            text_encoder = row.text_encoder or self.text_encoder
            check_row(row, self.encoder(row), text_encoder, self.data, counts)
            for size in self.sizes:
                row.method.check(counts["train"], ways=size.ways, shots=size.shots)
        learn2learn()

    def prepare(
        self,
        *,
        root: Path,
        cache: Cache,
        device: torch.device,
        progress: Progress = silent,
        workers: Workers = ALONE,
    ) -> Preparation:
        """Data and encoders, each made when it is first asked for; see `run`.

        Raises:
            ValueError: what is learned first would know validation or novel classes.
        """
        seed = self.seed if self.training_seed is None else self.training_seed
        job = Job(seed=seed, device=device, progress=progress, workers=workers)
        data = with_code(self.data.load(root, cache, progress), self.data)
        stage_0 = None
        if (other := self.student_dataset) is not None:
            stage_0 = with_code(other.load(root, cache, progress), other)
            check_apart(stage_0.train, data)
        elif isinstance(self.data, CrossDomain):  # its student is that of the source alone
            stage_0 = self.data.load_source(root, cache, progress)
        if self.distillation is not None and self.distillation.reads_text:
            check_prototypes(data)
        work = Workspace(data=data, cache=cache, job=job, stage_0=stage_0)
        return Preparation(work, self.encoders)

    def run(
        self,
        *,
        root: Path,
        cache: Cache,
        store: RecordStore,
        config: str = "",
        versions: Mapping[str, str] | None = None,
        device: torch.device = CPU,
        progress: Progress = silent,
        workers: Workers = ALONE,
    ) -> Iterator[Record]:
        """Train what is not yet trained, evaluate what is not yet evaluated.

        Args:
            root: where the data lies.
            cache: where finished stages lie.
            store: where finished records lie; each is written before it is yielded.
            config: the operative gin text, for the records.
            versions: of packages, for the records; None looks them up.
            device: where to train.
            progress: draws bars.
            workers: who train the students together; all else is rank 0's work.
        """
        if versions is None:
            versions = package_versions()
        with workers.first():
            preparation = self.prepare(
                root=root, cache=cache, device=device, progress=progress, workers=workers
            )
        walk = self.walk(preparation)
        yield from walk.records(store=store, config=config, versions=versions, workers=workers)

    def walk(self, preparation: Preparation) -> Walk:
        """Through the rows, on what `prepare` gave."""
        return Walk(
            preparation=preparation,
            rows=self.rows,
            sizes=self.sizes,
            seed=self.seed,
            reference=self.reference,
            text_encoder=self.text_encoder,
            teacher=self.source_of_teacher,
            teacher_text=self.text_of_teacher,
        )
