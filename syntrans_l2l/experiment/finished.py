"""From a finished experiment to the algorithm behind one of its rows."""

from pathlib import Path

import torch

from syntrans_l2l.algorithms.syntrans import SynTrans
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.features import FeatureData
from syntrans_l2l.encoders.base import Normalised
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.methods.syntrans import SynTransRow
from syntrans_l2l.progress import Progress, silent


def finished_algorithm(
    experiment: Experiment,
    title: str = "syntrans",
    *,
    shots: int,
    root: Path,
    cache: Cache,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> SynTrans:
    """The SynTrans of a row, its student inside, for tasks of the test classes' images.

    Where the row stands on features of a file, or on the teacher's, tasks are made of features.

    Stages that the experiment has finished come from its cache; the others run now.

    Args:
        experiment: what a gin file describes (`syntrans_l2l.experiment.config.load_experiment`).
        title: the row.
        shots: the K whose alpha and semantic weight are wanted.
        root: where the data lies.
        cache: where finished stages lie.
        device: where to run; the CPU for None.
        progress: draws bars.

    Raises:
        ValueError: no such row, or one of another method.
    """
    rows = {row.title: row for row in experiment.rows}
    if title not in rows:
        raise ValueError(f"no row {title!r}; rows: {', '.join(rows)}")
    method, encoder = rows[title].method, rows[title].encoder
    if not isinstance(method, SynTransRow):
        raise ValueError(f"the row {title!r} is {type(method).__name__}'s, not SynTrans's")
    preparation = experiment.prepare(
        root=root, cache=cache, device=device or torch.device("cpu"), progress=progress
    )
    walk = experiment.walk(preparation)
    arena = walk.arena(rows[title])
    validation = walk.cell(rows[title], arena, shots).draw("validation")
    algorithm = method.fit(arena, validation)
    seen = method.seen(arena)
    bank = seen.semantics
    if bank is not None or seen.aligned_text is not None:
        names = arena.data.test.class_names
        encoder_of_text = rows[title].text_encoder or experiment.text_encoder
        algorithm.set_classes_(
            bank.select(names) if bank else None,
            names,
            text_encoder=bank.source if bank else "",
            prompt=str(encoder_of_text.key().get("prompt", "")) if encoder_of_text else "",
            aligned=seen.aligned_text.select(names) if seen.aligned_text else None,
        )
    if algorithm.mix.aligned_weight and seen.projection is not None:
        in_space = isinstance(seen.projection, Normalised)  # SynTrans normalises by itself
        algorithm.set_projection_(torch.nn.Identity() if in_space else seen.projection)
    if not isinstance(arena.data, FeatureData) and (student := preparation.student(encoder)):
        algorithm.set_encoder_(student)
    return algorithm
