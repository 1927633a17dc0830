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
    from syntrans_l2l.datasets.features import FeatureBenchmark as FeatureBenchmark
    from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark as ImageFolderBenchmark
    from syntrans_l2l.episodes.class_names import class_names as class_names
    from syntrans_l2l.episodes.tasks import SemanticLabels as SemanticLabels
    from syntrans_l2l.episodes.tasks import SemanticTaskset as SemanticTaskset
    from syntrans_l2l.episodes.tasks import Task as Task
    from syntrans_l2l.episodes.tasks import collate as collate
    from syntrans_l2l.episodes.tasks import semantic_tasksets as semantic_tasksets
    from syntrans_l2l.experiment.finished import finished_algorithm as finished_algorithm
    from syntrans_l2l.methods.maml import Maml as Maml
    from syntrans_l2l.methods.protonet import ProtoNet as ProtoNet
    from syntrans_l2l.methods.syntrans import SynTransRow as SynTransRow
    from syntrans_l2l.networks.classifier import untrained_classifier as untrained_classifier
    from syntrans_l2l.semantics.bank import SemanticBank as SemanticBank
    from syntrans_l2l.semantics.bank_file import BankFile as BankFile
    from syntrans_l2l.semantics.synmine import SynMine as SynMine
    from syntrans_l2l.semantics.text_encoder import OpenClipText as OpenClipText
    from syntrans_l2l.semantics.text_encoder import SentenceEncoder as SentenceEncoder
    from syntrans_l2l.semantics.text_encoder import TextEncoder as TextEncoder
    from syntrans_l2l.semantics.text_encoder import VectorFile as VectorFile

_HOMES = {
    "BankFile": "semantics.bank_file",
    "FeatureBenchmark": "datasets.features",
    "FewShotData": "datasets",
    "ImageFolderBenchmark": "datasets.image_folder",
    "LabelledFeatures": "algorithms.labelled_features",
    "Maml": "methods.maml",
    "OpenClipText": "semantics.text_encoder",
    "ProtoNet": "methods.protonet",
    "SemanticBank": "semantics.bank",
    "SemanticLabels": "episodes.tasks",
    "SemanticTaskset": "episodes.tasks",
    "SentenceEncoder": "semantics.text_encoder",
    "Split": "datasets",
    "SynMine": "semantics.synmine",
    "SynTrans": "algorithms.syntrans",
    "SynTransRow": "methods.syntrans",
    "SynTransSettings": "algorithms.settings",
    "Task": "episodes.tasks",
    "TextEncoder": "semantics.text_encoder",
    "VectorFile": "semantics.text_encoder",
    "benchmark": "datasets",
    "class_names": "episodes.class_names",
    "collate": "episodes.tasks",
    "finished_algorithm": "experiment.finished",
    "fit_syntrans": "algorithms.fitting",
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
