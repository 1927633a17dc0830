"""One cell of a table: a row at one number of shots, found or computed."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timezone
from typing import Literal, NamedTuple

from torch import Tensor

from syntrans_l2l.cache import digest, tensor_digest
from syntrans_l2l.encoders.base import Encoder
from syntrans_l2l.encoders.distilled import ProjectedEncoder
from syntrans_l2l.episodes.episodes import Episodes, cached_episodes
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.evaluation.diagnostics import of_answers
from syntrans_l2l.evaluation.evaluate import answers
from syntrans_l2l.evaluation.statistics import mean_ci95, paired_ci95, percent_right
from syntrans_l2l.experiment.overlap import named_classes, shared_classes
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.base import Arena
from syntrans_l2l.methods.failures import told_of
from syntrans_l2l.reporting.identity import identity, settings
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.reporting.versions import machine


class Reference(NamedTuple):
    """The row that differences are taken against, and its accuracies in percent, [E]."""

    title: str
    accuracies: Tensor


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A row at one number of shots.

    Args:
        row: the method with its encoder and its text.
        encoder: whose features the arena holds.
        arena: what the method works with; its seed is that of training.
        size: of the episodes.
        seed: of the episodes.
    """

    row: Row
    encoder: Encoder
    arena: Arena
    size: EpisodeSize
    seed: int

    def draw(self, split: Literal["validation", "test"]) -> Episodes:
        """The episodes of a split, the same for every row.

        A row that selects nothing gets no validation episodes. Where validation has fewer
        classes than N, its episodes have as many ways as there are classes.
        """
        size, part = self.size, getattr(self.arena.data, split)
        if split == "validation":
            if not self.row.method.selects:
                return Episodes.none(size)
            ways = min(size.ways, len(part.class_names))
            size = replace(size, ways=ways, episodes=size.validation_episodes)
        return cached_episodes(
            self.arena.cache,
            part,
            {"data": self.arena.data.fingerprint, "split": split},
            size,
            seed=self.seed,
            progress=self.arena.progress,
        )

    def record(
        self,
        reference: Reference | None,
        store: RecordStore,
        config: str,
        versions: Mapping[str, str],
    ) -> Record:
        """Found in the store, or computed and written there.

        Args:
            reference: what the paired difference is taken against.
            store: where finished records lie.
            config: the operative gin text.
            versions: of packages; the row's code and the machine are added.

        Raises:
            ValueError: a logit is not finite.
        """
        known = identity(self.row.method, self.arena, self.size, self.seed)
        record_id = self._id(reference, known)
        if (found := store.find(record_id)) is not None:
            return replace(found, title=self.row.printed)  # the label is no part of what it is
        row, method, arena, semantics = self.row, self.row.method, self.arena, self.arena.semantics
        start = time.perf_counter()
        validation = self.draw("validation")
        with _told(self.row):
            predictor = method.prepare(arena, validation)

        def predict(episodes: Episodes) -> Tensor:
            with _told(row):
                return predictor.predict(episodes)

        selected = dict(predictor.selected)
        if validation.ways != self.size.ways:
            selected["ways"] = validation.ways
        test = self.draw("test").first(method.episodes or self.size.episodes)
        stage = f"{row.title}, {self.size.shots}-shot"
        said = answers(predict, test, progress=arena.progress, stage=stage)
        seconds = time.perf_counter() - start
        accuracies = percent_right(said, test.query_labels())
        mean = mean_ci95(accuracies)
        delta = None
        if reference is not None and row.title != reference.title:
            delta = paired_ci95(accuracies, reference.accuracies[: len(accuracies)])
        data, names = arena.data, arena.data.test.class_names
        seen = [*named_classes(data.train), *named_classes(data.validation)]
        tensors = of_answers(said, test, len(names)) | predictor.diagnose(test)
        queries = self.size.ways * self.size.queries
        record = Record(
            id=record_id,
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            dataset=data.name,
            method=row.title,
            student=arena.student_name,
            semantics=" + ".join(bank.source for bank in method.texts(arena)) or "none",
            ways=self.size.ways,
            shots=self.size.shots,
            queries=self.size.queries,
            episodes=len(accuracies),
            seed=self.seed,
            accuracy=mean.mean,
            ci95=mean.ci95,
            episode_accuracies=store.save_accuracies(record_id, accuracies, queries),
            diagnostics=store.save_diagnostics(record_id, tensors, names),
            delta_vs=reference.title if reference and delta else None,
            delta=delta.mean if delta else None,
            delta_ci95=delta.ci95 if delta else None,
            uses_text=method.uses_text,
            uses_teacher_images=self._uses_teacher_images(),
            is_transductive=method.is_transductive,
            selected=selected,
            budget=predictor.budget,
            config=config,
            versions={**versions, "code": known["code"], "machine": machine(arena.device)},
            seconds=seconds,
            descriptor_hash=semantics.digest if semantics else None,
            data_fingerprint=data.fingerprint,
            identity=known,
            settings=settings(method, arena),
            training_seed=arena.seed,
            title=row.printed,
            shared_classes=shared_classes(seen, named_classes(data.test)),
        )
        store.append(record)
        return record

    def _uses_teacher_images(self) -> bool:
        """Whether images that the row learned from or answers by went through the teacher.

        Of a frozen encoder only the projection is the teacher's. It takes part where a row
        answers with the text of its space, which our rows say; of others it is presumed.
        """
        method, encoder, text = self.row.method, self.encoder, self.arena.aligned_text
        if isinstance(encoder, ProjectedEncoder):
            answers = any(bank is text for bank in method.texts(self.arena))
            seen = text is not None and (answers or not _ours(self.row))
            seen = seen or encoder.base.sees_teacher_images
        else:
            seen = encoder.sees_teacher_images
        return (method.uses_student and seen) or method.uses_teacher_images

    def _id(self, reference: Reference | None, known: Mapping[str, str]) -> str:
        """What determines the record."""
        compared = "" if reference is None else tensor_digest({"accuracies": reference.accuracies})
        method = self.row.method
        rest = {"size": astuple(self.size), "first": method.episodes, "reference": compared}
        return digest({**known, "title": self.row.title, **rest})


def _told(row: Row) -> AbstractContextManager[None]:
    """Errors of other people's methods are told in one line; ours say it themselves."""
    return nullcontext() if _ours(row) else told_of(row.title)


def _ours(row: Row) -> bool:
    """Whether the method is this package's."""
    return type(row.method).__module__.partition(".")[0] == __name__.partition(".")[0]
