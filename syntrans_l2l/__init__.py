"""SynTrans (IJCAI 2025) for learn2learn, as a method and as a baseline.

Names resolve on first use, so that importing the package costs nothing that is not used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syntrans_l2l.algorithms.fitting import fit_syntrans as fit_syntrans
    from syntrans_l2l.algorithms.labelled_features import LabelledFeatures as LabelledFeatures
    from syntrans_l2l.algorithms.settings import SynTransSettings as SynTransSettings
    from syntrans_l2l.algorithms.syntrans import SynTrans as SynTrans
    from syntrans_l2l.datasets import FewShotData as FewShotData
    from syntrans_l2l.datasets import Split as Split
    from syntrans_l2l.datasets import benchmark as benchmark
    from syntrans_l2l.datasets.feature_file import FeatureBenchmark as FeatureBenchmark
    from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark as ImageFolderBenchmark
    from syntrans_l2l.encoders.checkpoint import Checkpoint as Checkpoint
    from syntrans_l2l.episodes.class_names import class_names as class_names
    from syntrans_l2l.episodes.tasks import SemanticLabels as SemanticLabels
    from syntrans_l2l.episodes.tasks import SemanticTaskset as SemanticTaskset
    from syntrans_l2l.episodes.tasks import Task as Task
    from syntrans_l2l.episodes.tasks import collate as collate
    from syntrans_l2l.episodes.tasks import semantic_tasksets as semantic_tasksets
    from syntrans_l2l.experiment.evaluate import evaluate as evaluate
    from syntrans_l2l.experiment.evaluate import features as features
    from syntrans_l2l.experiment.finished import finished_algorithm as finished_algorithm
    from syntrans_l2l.experiment.results import Results as Results
    from syntrans_l2l.experiment.row import Row as Row
    from syntrans_l2l.methods.am3 import Am3 as Am3
    from syntrans_l2l.methods.anil import Anil as Anil
    from syntrans_l2l.methods.base import Method as Method
    from syntrans_l2l.methods.episodic_protonet import EpisodicProtoNet as EpisodicProtoNet
    from syntrans_l2l.methods.from_module import FromModule as FromModule
    from syntrans_l2l.methods.function_row import row as row
    from syntrans_l2l.methods.ktn import Ktn as Ktn
    from syntrans_l2l.methods.maml import Maml as Maml
    from syntrans_l2l.methods.meta_sgd import MetaSgd as MetaSgd
    from syntrans_l2l.methods.metaoptnet import MetaOptNet as MetaOptNet
    from syntrans_l2l.methods.protonet import ProtoNet as ProtoNet
    from syntrans_l2l.methods.semfew import SemFew as SemFew
    from syntrans_l2l.methods.simpleshot import SimpleShot as SimpleShot
    from syntrans_l2l.methods.syntrans import SynTransRow as SynTransRow
    from syntrans_l2l.methods.tip_adapter import TipAdapter as TipAdapter
    from syntrans_l2l.methods.zero_shot import ZeroShot as ZeroShot
    from syntrans_l2l.networks.classifier import untrained_classifier as untrained_classifier
    from syntrans_l2l.networks.fusion import Mix as Mix
    from syntrans_l2l.semantics.bank import SemanticBank as SemanticBank
    from syntrans_l2l.semantics.bank_file import BankFile as BankFile
    from syntrans_l2l.semantics.synmine import SynMine as SynMine
    from syntrans_l2l.semantics.text_encoder import OpenClipText as OpenClipText
    from syntrans_l2l.semantics.text_encoder import SentenceEncoder as SentenceEncoder
    from syntrans_l2l.semantics.text_encoder import TextEncoder as TextEncoder
    from syntrans_l2l.semantics.text_encoder import VectorFile as VectorFile

_HOMES = {
    "Am3": "methods.am3",
    "Anil": "methods.anil",
    "BankFile": "semantics.bank_file",
    "Checkpoint": "encoders.checkpoint",
    "EpisodicProtoNet": "methods.episodic_protonet",
    "FeatureBenchmark": "datasets.feature_file",
    "FewShotData": "datasets",
    "FromModule": "methods.from_module",
    "ImageFolderBenchmark": "datasets.image_folder",
    "LabelledFeatures": "algorithms.labelled_features",
    "Ktn": "methods.ktn",
    "Maml": "methods.maml",
    "MetaOptNet": "methods.metaoptnet",
    "MetaSgd": "methods.meta_sgd",
    "Method": "methods.base",
    "Mix": "networks.fusion",
    "OpenClipText": "semantics.text_encoder",
    "ProtoNet": "methods.protonet",
    "Results": "experiment.results",
    "Row": "experiment.row",
    "SemFew": "methods.semfew",
    "SemanticBank": "semantics.bank",
    "SemanticLabels": "episodes.tasks",
    "SemanticTaskset": "episodes.tasks",
    "SentenceEncoder": "semantics.text_encoder",
    "SimpleShot": "methods.simpleshot",
    "Split": "datasets",
    "SynMine": "semantics.synmine",
    "SynTrans": "algorithms.syntrans",
    "SynTransRow": "methods.syntrans",
    "SynTransSettings": "algorithms.settings",
    "Task": "episodes.tasks",
    "TextEncoder": "semantics.text_encoder",
    "TipAdapter": "methods.tip_adapter",
    "VectorFile": "semantics.text_encoder",
    "ZeroShot": "methods.zero_shot",
    "benchmark": "datasets",
    "class_names": "episodes.class_names",
    "collate": "episodes.tasks",
    "evaluate": "experiment.evaluate",
    "features": "experiment.evaluate",
    "finished_algorithm": "experiment.finished",
    "fit_syntrans": "algorithms.fitting",
    "row": "methods.function_row",
    "semantic_tasksets": "episodes.tasks",
    "untrained_classifier": "networks.classifier",
}

__all__ = sorted(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
