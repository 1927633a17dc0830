"""The names that configuration files may use. The only file of the library that imports gin."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gin
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.datasets.base import Benchmark
from syntrans_l2l.datasets.cifar_fs import CifarFs
from syntrans_l2l.datasets.cub import Cub
from syntrans_l2l.datasets.fc100 import Fc100
from syntrans_l2l.datasets.features import FeatureBenchmark
from syntrans_l2l.datasets.generated import Generated
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.datasets.mini_imagenet import MiniImagenet
from syntrans_l2l.datasets.tiered_imagenet import TieredImagenet
from syntrans_l2l.encoders.checkpoint import Checkpoint
from syntrans_l2l.encoders.factories import cnn4, resnet12, timm_encoder
from syntrans_l2l.encoders.published import learn2learn_resnet12
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.mining import Mining
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.am3 import Am3
from syntrans_l2l.methods.anil import Anil
from syntrans_l2l.methods.from_module import FromModule
from syntrans_l2l.methods.function_row import ROWS, FunctionRow, on_row
from syntrans_l2l.methods.ktn import Ktn
from syntrans_l2l.methods.maml import Maml
from syntrans_l2l.methods.meta_sgd import MetaSgd
from syntrans_l2l.methods.metaoptnet import MetaOptNet
from syntrans_l2l.methods.protonet import ProtoNet
from syntrans_l2l.methods.semfew import SemFew
from syntrans_l2l.methods.simpleshot import SimpleShot
from syntrans_l2l.methods.syntrans import SynTransRow
from syntrans_l2l.methods.task_training import TaskTraining
from syntrans_l2l.methods.tip_adapter import TipAdapter
from syntrans_l2l.methods.zero_shot import ZeroShot
from syntrans_l2l.semantics.bank_file import BankFile
from syntrans_l2l.semantics.chat_api import ChatApi
from syntrans_l2l.semantics.collaboration import Collaboration
from syntrans_l2l.semantics.demo_describer import DemoDescriber
from syntrans_l2l.semantics.image_text_model import ImageTextModel
from syntrans_l2l.semantics.language_model import CausalModel
from syntrans_l2l.semantics.model_describer import ModelDescriber
from syntrans_l2l.semantics.names import wordnet_senses
from syntrans_l2l.semantics.observe import Observer
from syntrans_l2l.semantics.refine import TowerRefiner
from syntrans_l2l.semantics.synmine import SynMine
from syntrans_l2l.semantics.text_encoder import (
    OpenClipText,
    SentenceEncoder,
    TextEncoder,
    VectorFile,
)
from syntrans_l2l.semantics.text_tower import SentenceTower
from syntrans_l2l.semantics.visual import VisualJudge
from syntrans_l2l.semantics.wordnet import WordNet
from syntrans_l2l.semantics.written import Shipped, Written
from syntrans_l2l.training.base import BaseTraining
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.distillation import Distillation
from syntrans_l2l.training.fabric import FabricWorkers
from syntrans_l2l.training.meta import MetaTraining


def class_vectors(vectors: str | None, sentence_encoder: str) -> TextEncoder:
    """The file `vectors` where one is named, a bank if it is JSON, else the sentence encoder."""
    if not vectors:
        return SentenceEncoder(sentence_encoder)
    return BankFile(vectors) if vectors.endswith(".json") else VectorFile(vectors)


for _configurable in (
    Am3,
    Anil,
    BaseTraining,
    BridgeTraining,
    CausalModel,
    ChatApi,
    Checkpoint,
    CifarFs,
    ClipTeacher,
    Collaboration,
    Cub,
    DemoDescriber,
    Distillation,
    Experiment,
    FabricWorkers,
    Fc100,
    FeatureBenchmark,
    FromModule,
    Generated,
    ImageFolderBenchmark,
    ImageTextModel,
    Ktn,
    Maml,
    MetaOptNet,
    MetaSgd,
    MetaTraining,
    MiniImagenet,
    Mining,
    ModelDescriber,
    Observer,
    OpenClipText,
    ProtoNet,
    Row,
    SemFew,
    SentenceEncoder,
    SentenceTower,
    Shipped,
    SimpleShot,
    SynMine,
    SynTransRow,
    SynTransSettings,
    TaskTraining,
    TieredImagenet,
    TipAdapter,
    TowerRefiner,
    VisualJudge,
    WordNet,
    Written,
    ZeroShot,
    class_vectors,
    cnn4,
    learn2learn_resnet12,
    resnet12,
    timm_encoder,
    wordnet_senses,
):
    # registering, unlike decorating, leaves direct calls free of global configuration
    gin.external_configurable(_configurable, module="syntrans")


def _register_row(key: str) -> None:
    """Make `@NAME()` the row of a function that `@row` decorates, whichever is the newest."""
    known = f"rows.{key}"

    def newest() -> FunctionRow:
        return ROWS[key]

    if known not in _registered_rows:
        _registered_rows.add(known)
        module, _, name = known.rpartition(".")
        gin.external_configurable(newest, name, module=module)


_registered_rows: set[str] = set()
on_row(_register_row)


def load_experiment(file: Path, bindings: list[str]) -> Experiment:
    """The experiment that a gin file describes, with further bindings on top of it.

    Args:
        file: its own folder and that folder's parents are searched for what it includes.
        bindings: for instance "Experiment.episodes = 600".

    Raises:
        FileNotFoundError: the file, one that it includes, or one that it names is missing.
        ValueError: an unknown name, a missing binding or a value that does not fit.
    """
    with _parsed(file, bindings):
        experiment: Experiment = gin.get_configurable(Experiment)()
        if experiment.student is not None:
            experiment.student()
    return experiment


def load_dataset(file: Path, bindings: list[str]) -> Benchmark:
    """The data set that a gin file binds, of an experiment or by itself; raises as above."""
    with _parsed(file, bindings):
        dataset: Benchmark = gin.query_parameter("Experiment.dataset").scoped_configurable_fn()
    return dataset


def load_mining(file: Path, bindings: list[str]) -> Mining:
    """The mining that a gin file describes; arguments and errors as for `load_experiment`."""
    with _parsed(file, bindings):
        mining: Mining = gin.get_configurable(Mining)()
    return mining


@contextmanager
def _parsed(file: Path, bindings: list[str]) -> Iterator[None]:
    """Parse `file`, and turn what goes wrong within into one line that names it."""
    if not file.is_file():
        raise FileNotFoundError(f"no configuration file {file}")
    gin.clear_config()
    for folder in (file.resolve().parent, *file.resolve().parent.parents[:1]):
        gin.add_config_file_search_path(str(folder))
    logging.getLogger().addFilter(_not_gins_search)
    try:
        gin.parse_config_files_and_bindings([str(file)], bindings)
        yield
    except (SyntaxError, TypeError, ValueError, RuntimeError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{file}: {_one_line(error)}") from error
    finally:
        logging.getLogger().removeFilter(_not_gins_search)


def load_workers(devices: int, nodes: int) -> FabricWorkers:
    """Start the processes, by the strategy that the experiment loaded last binds.

    Raises:
        ImportError, ValueError: see `FabricWorkers`.
    """
    try:
        workers: FabricWorkers = gin.get_configurable(FabricWorkers)(devices=devices, nodes=nodes)
    except ValueError as error:
        raise ValueError(_one_line(error)) from error
    return workers


def operative_config() -> str:
    """Every value that the experiment took, as gin text."""
    return str(gin.operative_config_str())


def _not_gins_search(record: logging.LogRecord) -> bool:
    """Drop what gin logs as an error for each place where an included file is not."""
    return not str(record.msg).startswith("Path not found")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
