"""The walk through the house: images to student to features to methods to records."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from syntrans_l2l.cache import Cache, digest
from syntrans_l2l.datasets.base import SPLITS, Benchmark, check_episode_size
from syntrans_l2l.evaluation.episodes import Episodes, cached_episodes
from syntrans_l2l.evaluation.evaluate import evaluate
from syntrans_l2l.evaluation.statistics import mean_ci95, paired_ci95
from syntrans_l2l.methods.base import Arena, Method
from syntrans_l2l.networks.student import Student
from syntrans_l2l.preparation import encode_classes, student_features
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.semantics.text_encoder import TextEncoder, VectorFile
from syntrans_l2l.training.base import BaseTraining


class MakeStudent(Protocol):
    """Builds an untrained student."""

    def __call__(self) -> Student: ...


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What one configuration file describes.

    Args:
        dataset: where images come from.
        student: makes the encoder.
        methods: the rows, each evaluated on the same episodes.
        text_encoder: makes class vectors; None where no method uses text.
        base_training: stage 0.
        ways: N.
        shots: the values of K.
        queries: Q per class.
        episodes: test episodes.
        validation_episodes: episodes that alpha and its like are picked on.
        reference: the method that paired differences are taken against.
        seed: of student, methods and episodes.
    """

    dataset: Benchmark
    student: MakeStudent
    methods: Sequence[Method]
    text_encoder: TextEncoder | None = None
    base_training: BaseTraining = field(default_factory=BaseTraining)
    ways: int = 5
    shots: Sequence[int] = (1, 5)
    queries: int = 15
    episodes: int = 10_000
    validation_episodes: int = 2_000
    reference: str = "protonet_cosine"
    seed: int = 0

    def check(self, root: Path) -> None:
        """Find what would fail, before any long work.

        Raises:
            FileNotFoundError: images or vectors are missing.
            ValueError: a setting does not fit the data.
        """
        names = [method.name for method in self.methods]
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"Experiment.methods must be distinct and not empty, got {names}")
        if self.text_encoder is None and any(method.uses_text for method in self.methods):
            raise ValueError("a method uses text: bind Experiment.text_encoder")
        counts = self.dataset.class_counts(root)
        for split in SPLITS:
            for shots in self.shots:
                check_episode_size(counts[split], ways=self.ways, shots=shots, queries=self.queries)
        if isinstance(self.text_encoder, VectorFile):
            classes = [name for split in SPLITS for name in counts[split]]
            self.text_encoder.encode_classes(classes)

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
        """
        data = self.dataset.load(root, cache, progress)
        uses_text = any(method.uses_text for method in self.methods)
        semantics = None
        if uses_text and self.text_encoder is not None:
            semantics = encode_classes(self.text_encoder, data, cache)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            student = self.student()
        features: dict[str, Tensor] = {}
        student_hash = ""
        if any(method.uses_student for method in self.methods):
            features, student_hash = student_features(
                student,
                data,
                self.base_training,
                seed=self.seed,
                cache=cache,
                device=device,
                progress=progress,
            )
        arena = Arena(
            data=data,
            features=features,
            student=student_hash,
            student_name=student.name,
            semantics=semantics,
            cache=cache,
            device=device,
            seed=self.seed,
            progress=progress,
        )
        # the reference first, because the others' differences need it
        methods = sorted(self.methods, key=lambda method: method.name != self.reference)
        for shots in self.shots:
            reference: Tensor | None = None
            for method in methods:
                record = self._cell(method, arena, shots, reference, store, config, versions)
                if method.name == self.reference:
                    reference = store.accuracies(record)
                yield record

    def _cell(
        self,
        method: Method,
        arena: Arena,
        shots: int,
        reference: Tensor | None,
        store: RecordStore,
        config: str,
        versions: Mapping[str, str],
    ) -> Record:
        """One method at one number of shots: found in the store, or computed and written."""
        semantics = arena.semantics if method.uses_text else None
        key = {
            "data": arena.data.fingerprint,
            "method": method.name,
            "settings": method.settings(),
            "student": arena.student if method.uses_student else "",
            "semantics": semantics.digest if semantics else "",
            "size": [self.ways, shots, self.queries, self.episodes, self.validation_episodes],
            "reference": self.reference if reference is not None else "",
            "seed": self.seed,
            "code": versions["code"],
        }
        record_id = digest(key)
        if (found := store.find(record_id)) is not None:
            return found
        start = time.perf_counter()
        predictor = method.prepare(arena, self._draw("validation", shots, arena))
        test = self._draw("test", shots, arena).first(method.episodes or self.episodes)
        stage = f"{method.name}, {shots}-shot"
        accuracies = evaluate(predictor.predict, test, progress=arena.progress, stage=stage)
        mean = mean_ci95(accuracies)
        delta = None
        if reference is not None and method.name != self.reference:
            delta = paired_ci95(accuracies, reference[: len(accuracies)])
        record = Record(
            id=record_id,
            dataset=arena.data.name,
            method=method.name,
            student=arena.student_name if method.uses_student else "learn2learn CNN4",
            semantics=semantics.source if semantics else "none",
            ways=self.ways,
            shots=shots,
            queries=self.queries,
            episodes=len(accuracies),
            seed=self.seed,
            accuracy=mean.mean,
            ci95=mean.ci95,
            episode_accuracies=store.save_accuracies(record_id, accuracies),
            delta_vs=self.reference if delta else None,
            delta=delta.mean if delta else None,
            delta_ci95=delta.ci95 if delta else None,
            uses_text=method.uses_text,
            uses_teacher_images=method.uses_teacher_images,
            is_transductive=method.is_transductive,
            selected=predictor.selected,
            budget=predictor.budget,
            config=config,
            versions=dict(versions),
            seconds=time.perf_counter() - start,
            descriptor_hash=semantics.digest if semantics else None,
            data_fingerprint=arena.data.fingerprint,
        )
        store.append(record)
        return record

    def _draw(self, split: str, shots: int, arena: Arena) -> Episodes:
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
