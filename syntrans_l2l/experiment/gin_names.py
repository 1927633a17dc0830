"""What configuration files may name. Knows no gin."""

from collections.abc import Callable

from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.datasets.cifar_fs import CifarFs
from syntrans_l2l.datasets.cub import Cub
from syntrans_l2l.datasets.fc100 import Fc100
from syntrans_l2l.datasets.feature_file import FeatureBenchmark
from syntrans_l2l.datasets.generated import Generated
from syntrans_l2l.datasets.image_folder import ImageFolderBenchmark
from syntrans_l2l.datasets.mini_imagenet import MiniImagenet
from syntrans_l2l.datasets.tiered_imagenet import TieredImagenet
from syntrans_l2l.encoders.born_again import BornAgainStudent
from syntrans_l2l.encoders.brought import TeacherFeatures
from syntrans_l2l.encoders.checkpoint import Checkpoint
from syntrans_l2l.encoders.factories import cnn4, resnet12, timm_encoder
from syntrans_l2l.encoders.published import learn2learn_resnet12
from syntrans_l2l.encoders.students import BaseStudent
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.mining import Mining
from syntrans_l2l.experiment.row import Row
from syntrans_l2l.methods.am3 import Am3
from syntrans_l2l.methods.anil import Anil
from syntrans_l2l.methods.episodic_protonet import EpisodicProtoNet
from syntrans_l2l.methods.from_module import FromModule
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
from syntrans_l2l.training.born_again import SelfDistillation
from syntrans_l2l.training.bridge import BridgeTraining
from syntrans_l2l.training.distillation import Distillation
from syntrans_l2l.training.fabric import FabricWorkers
from syntrans_l2l.training.meta import MetaTraining
from syntrans_l2l.training.projection import ProjectionTraining


def class_vectors(vectors: str | None, sentence_encoder: str) -> TextEncoder:
    """The file `vectors` where one is named, a bank if it is JSON, else the sentence encoder."""
    if not isinstance(vectors, str | None):
        raise ValueError(f"class_vectors.vectors must be the path of a file, got {vectors!r:.80}")
    if not vectors:
        return SentenceEncoder(sentence_encoder)
    return BankFile(vectors) if vectors.endswith(".json") else VectorFile(vectors)


def clip_or_its_features(
    model: str, pretrained: str, images: str | None = None, name: str = ""
) -> ClipTeacher | TeacherFeatures:
    """The features of a CLIP in the file `images` where one is named, else the CLIP itself."""
    return TeacherFeatures(images, name=name) if images else ClipTeacher(model, pretrained)


def clip_text(vectors: str | None = None) -> TextEncoder | None:
    """The file of a CLIP's text vectors; None, where none is named, takes the text tower."""
    return VectorFile(vectors) if vectors else None


# classes and functions; more are named by the modules that a file imports
NAMES: tuple[Callable[..., object], ...] = (
    Am3,
    Anil,
    BaseStudent,
    BaseTraining,
    BornAgainStudent,
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
    EpisodicProtoNet,
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
    ProjectionTraining,
    ProtoNet,
    Row,
    SelfDistillation,
    SemFew,
    SentenceEncoder,
    SentenceTower,
    Shipped,
    SimpleShot,
    SynMine,
    SynTransRow,
    SynTransSettings,
    TaskTraining,
    TeacherFeatures,
    TieredImagenet,
    TipAdapter,
    TowerRefiner,
    VectorFile,
    VisualJudge,
    WordNet,
    Written,
    ZeroShot,
    class_vectors,
    clip_or_its_features,
    clip_text,
    cnn4,
    learn2learn_resnet12,
    resnet12,
    timm_encoder,
    wordnet_senses,
)

# names that configuration files no longer know, and the new ones
RENAMED = {
    "BridgeTraining.naming": "BridgeTraining.both_ways",
    "SynTrans": "SynTransRow",
    "SynTransSettings.namings": "SynTransSettings.semantic_weights",
}
