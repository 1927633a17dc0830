"""From an experiment's rows to records: each row's arena, and one cell of it after the other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from syntrans_l2l.encoders.base import Encoded
from syntrans_l2l.encoders.clip import Teacher
from syntrans_l2l.encoders.distilled import DistilledStudent, ProjectedEncoder
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.experiment.cell import Cell, Reference
from syntrans_l2l.experiment.preparation import Preparation
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.experiment.teacher_text import TextOfTeacher, check_width
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.reporting.learning import keep_learning
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.text_encoder import TextEncoder
from syntrans_l2l.training.workers import Workers


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The rows of an experiment on what they stand on; most settings are `Experiment`'s.

    Args:
        preparation: features and class vectors.
        rows: in the order of the table.
        sizes: of the episodes, for each K.
        seed: of the episodes.
        reference: the row that paired differences are taken against.
        text_encoder: of rows without their own.
        teacher: the one that is bound, or what features bring along.
        teacher_text: its vectors of class names; None where there are none.
    """

    preparation: Preparation
    rows: Sequence[Row]
    sizes: Sequence[EpisodeSize]
    seed: int
    reference: str
    text_encoder: TextEncoder | None
    teacher: Teacher | None
    teacher_text: TextOfTeacher | None

    def records(
        self, *, store: RecordStore, config: str, versions: Mapping[str, str], workers: Workers
    ) -> Iterator[Record]:
        """See `Experiment.run`."""
        preparation = self.preparation
        # the reference first, because the others' differences need it
        rows = sorted(self.rows, key=lambda row: row.title != self.reference)
        for row in rows:  # text before training: it is quick, and its model may be missing
            with workers.first():
                self._make_texts(row)
        if workers.count > 1:
            for row in rows:
                if row.method.uses_student:
                    preparation.student(row.encoder)
        if workers.rank > 0:
            return
        for bank in preparation.mined.values():
            store.keep_bank(bank)
        for size in self.sizes:
            reference: Reference | None = None
            for row in rows:
                arena = self.arena(row)
                if row.method.uses_student:
                    encoded = preparation.encoded(row.encoder)
                    keep_learning(store.out, encoded.hash, encoded.curve)
                record = self.cell(row, arena, size.shots).record(
                    reference, store, config, versions
                )
                if row.title == self.reference:
                    reference = Reference(row.title, store.accuracies(record))
                yield record

    def arena(self, row: Row) -> Arena:
        """What the row's method works with."""
        work = self.preparation.work
        encoded = Encoded({}, "", row.method.encoder_name)
        if row.method.uses_student:
            encoded = self.preparation.encoded(row.encoder)
        encoder = self._text_encoder(row)
        semantics = None if encoder is None else self.preparation.semantics(encoder)
        aligned_text = self._aligned_text(row, encoded, semantics)
        lesson = dict(encoded.lesson)
        if aligned_text is not None and aligned_text is not semantics:
            lesson["text"] = aligned_text.source
        text = {} if encoder is None else encoder.key()
        return Arena(
            data=work.data,
            features=encoded.features,
            student=encoded.hash,
            student_name=encoded.name,
            semantics=semantics,
            cache=work.cache,
            device=work.job.device,
            seed=work.job.seed,
            progress=work.job.progress,
            recipes={"student": encoded.recipe, "text": text, "teacher": lesson},
            projection=encoded.projection if aligned_text else None,
            aligned=encoded.aligned if aligned_text else None,
            aligned_text=aligned_text,
        )

    def cell(self, row: Row, arena: Arena, shots: int) -> Cell:
        """A row at one number of shots."""
        size = replace(self.sizes[0], shots=shots)
        encoder = self.preparation.encoder(row.encoder)
        return Cell(row=row, encoder=encoder, arena=arena, size=size, seed=self.seed)

    def _text_encoder(self, row: Row) -> TextEncoder | None:
        """What makes the row's class vectors; None where it uses none."""
        return (row.text_encoder or self.text_encoder) if row.method.uses_text else None

    def _make_texts(self, row: Row) -> None:
        """All class vectors that the row will ask for."""
        if (encoder := self._text_encoder(row)) is None:
            return
        self.preparation.semantics(encoder)
        if row.encoder == "distilled" and self.teacher_text is not None:
            self.teacher_text.bank(self.preparation, self.teacher)

    def _aligned_text(
        self, row: Row, encoded: Encoded, semantics: SemanticBank | None
    ) -> SemanticBank | None:
        """The text in the space that it shares with images; None where there is no such space.

        The teacher's own features stand beside the row's own text, which it must have encoded.
        """
        if semantics is None or encoded.projection is None:
            return None
        bank: SemanticBank | None = semantics
        encoder, text = self.preparation.encoder(row.encoder), self.teacher_text
        if isinstance(encoder, ProjectedEncoder | DistilledStudent):
            bank = None if text is None else text.bank(self.preparation, self.teacher)
        if bank is not None and encoded.aligned is not None:
            check_width(bank, encoded.aligned["test"].shape[1], row.title)
        return bank
