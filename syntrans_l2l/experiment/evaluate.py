"""Rows on data from Python, in one call: the same walk, records and tables as the command's."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import benchmark
from syntrans_l2l.datasets.base import Benchmark, FewShotData
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.datasets.features import FeatureData, feature_data
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.datasets.in_memory import FeaturesInMemory, InMemory
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.results import Results
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.base import Method
from syntrans_l2l.methods.from_module import FromModule
from syntrans_l2l.places import Places
from syntrans_l2l.progress import silent
from syntrans_l2l.reporting.records import RecordStore
from syntrans_l2l.semantics.bank_file import BankFile
from syntrans_l2l.semantics.text_encoder import TextEncoder, VectorFile

_ARRAYS = (".npz", ".safetensors")
_SPLITS = "splits.json"  # beside the class folders, as ImageFolderBenchmark reads it
_GIVEN = ("dataset", "methods", "text_encoder")  # fields of Experiment with other names here


def evaluate(
    rows: Sequence[Method | Row | Any],
    data: str | Path | Benchmark | FewShotData,
    *,
    text: TextEncoder | str | Path | None = None,
    out: str | Path | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
    **settings: Any,
) -> Results:
    """Evaluate rows on the same episodes of `data`.

    Stages that a run has finished are found again in the cache, as for the command:
    $SYNTRANS_CACHE, or a folder below $SYNTRANS_DATA.

    Args:
        rows: methods, functions that `row` decorates, or anything with learn2learn's `fit_` or
            easyfsl's `process_support_set` and `forward`.
        data: a data set's name, a file of features, a folder of class folders with splits.json,
            a data set, or `FewShotData` in memory; see also `features`.
        text: makes the class vectors of rows that use text, or the file that holds them.
        out: the folder of the records; None keeps them with the result only.
        device: where to run; None takes a GPU where there is one.
        progress: whether to draw bars.
        settings: further fields of `Experiment`, such as shots=(1, 5) or shots=5, ways, queries,
            episodes, validation_episodes, student, teacher, reference, comparisons and seed;
            test_dataset may be whatever `data` may be.
            Without a `reference`, differences are taken to cosine ProtoNet, or to the first row.

    Raises:
        FileNotFoundError: data or vectors are missing.
        TypeError: a row is no row, or a setting is unknown.
        ValueError: a setting does not fit the data.
    """
    _check_settings(settings)
    methods = [each if isinstance(each, Method | Row) else FromModule(module=each) for each in rows]
    names = [each.title if isinstance(each, Row) else each.name for each in methods]
    if "reference" not in settings and Experiment.reference not in names and names:
        settings = {**settings, "reference": names[0]}
    if settings.get("test_dataset") is not None:
        settings = {**settings, "test_dataset": _dataset(settings["test_dataset"])}
    if type(shots := settings.get("shots")) is int:
        settings = {**settings, "shots": (shots,)}
    experiment = Experiment(
        dataset=_dataset(data), methods=methods, text_encoder=_text(text), **settings
    )
    places = Places.of()
    experiment.check(places.root)
    folder = TemporaryDirectory(prefix="syntrans_") if out is None else None
    store, cache = RecordStore(Path(folder.name if folder else str(out))), Cache(places.cache)
    gpu = "cuda" if torch.cuda.is_available() else "cpu"
    records = [
        replace(
            record,
            episode_accuracies=str(store.out / record.episode_accuracies),
            diagnostics=str(store.out / record.diagnostics),
        )
        for record in experiment.run(
            root=places.root,
            cache=cache,
            store=store,
            config=_described(experiment),
            device=torch.device(device or gpu),
            progress=bar if progress else silent,
        )
    ]
    return Results(
        records=records,
        store=store,
        test=experiment.data.load(places.root, cache).test,
        comparisons=experiment.comparisons,
        folder=folder,
    )


def features(
    source: Any,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    split: Sequence[str] | None = None,
    *,
    encoder: str = "given features",
) -> Benchmark:
    """Features of any encoder as data for `evaluate`: a file, or arrays in memory.

    Args:
        source: the path of an .npz or .safetensors file of the form that `FeatureBenchmark`
            reads, or features [n, D], numpy or torch.
        labels: [n], places in `class_names`.
        class_names: [C].
        split: of each class, [C]: train, val or test; train may be absent.
        encoder: what made arrays, for the records.

    Raises:
        TypeError: arrays without labels, class_names or split.
        ValueError: the arrays are not of this form.
    """
    if isinstance(source, str | Path):
        return FeatureBenchmark(Path(source).expanduser().absolute())
    if labels is None or class_names is None or split is None:
        raise TypeError("features in memory need labels [n], class_names [C] and split [C]")
    return FeaturesInMemory(feature_data(source, labels, class_names, split, encoder=encoder))


@contextmanager
def bar(stage: str, *, total: int, unit: str, done: int = 0) -> Iterator[Callable[[int], object]]:
    """One bar a stage, in a terminal or a notebook; see `syntrans_l2l.progress.Progress`."""
    from tqdm.auto import tqdm

    with tqdm(
        desc=stage, total=total, unit=unit, initial=done, unit_scale=True, mininterval=0.5, delay=1
    ) as drawn:
        yield drawn.update


def _dataset(data: str | Path | Benchmark | FewShotData) -> Benchmark:
    """What an experiment takes."""
    if isinstance(data, FeatureData):
        return FeaturesInMemory(data)
    if isinstance(data, FewShotData):
        return InMemory(data)
    if not isinstance(data, str | Path):
        return data
    path = Path(data).expanduser()
    if path.is_dir():
        return ImageFolderBenchmark(root=path.absolute(), splits=_SPLITS)
    if path.suffix in _ARRAYS:
        return FeatureBenchmark(path.absolute())
    try:
        return benchmark(str(data))
    except ValueError as error:
        raise ValueError(
            f"{error}; and no folder of class folders or file of features (.npz, .safetensors) is "
            "called so"
        ) from None


def _text(text: TextEncoder | str | Path | None) -> TextEncoder | None:
    if not isinstance(text, str | Path):
        return text
    return BankFile(text) if Path(text).suffix == ".json" else VectorFile(text)


def _check_settings(settings: dict[str, Any]) -> None:
    """Raise TypeError where one is none of Experiment's."""
    known = [each.name for each in fields(Experiment) if each.name not in _GIVEN]
    if unknown := sorted(set(settings) - set(known)):
        raise TypeError(f"evaluate has no setting {', '.join(unknown)}; it has {', '.join(known)}")


def _described(experiment: Experiment) -> str:
    """The experiment as text, in the place of a gin file."""
    lines = ["# evaluated from Python"]
    lines += [f"# {row.title}: {row.method.settings()}" for row in experiment.rows]
    plain = ("ways", "shots", "queries", "episodes", "validation_episodes", "reference", "seed")
    lines += [f"Experiment.{name} = {getattr(experiment, name)!r}" for name in plain]
    return "\n".join(lines) + "\n"
