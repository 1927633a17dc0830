"""What is timed: drawn features, cosine ProtoNet, SynTrans as it is after fitting, and fitting."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.nn import functional as F

from syntrans_l2l.algorithms.labelled_features import LabelledFeatures
from syntrans_l2l.algorithms.one_product import OneProduct
from syntrans_l2l.algorithms.scoring import Given, to_semantic
from syntrans_l2l.algorithms.settings import SynTransSettings
from syntrans_l2l.algorithms.stages import Stages
from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import Split
from syntrans_l2l.methods.base import Predict
from syntrans_l2l.methods.protonet import cosine_predict
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.meta import MetaTraining


def clustered(classes: int, images: int, width: int) -> Split:
    """Features of unit length around the centres of their classes, [classes * images, D]."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(classes).repeat_interleave(images)
    centres = torch.randn(classes, width, generator=generator)
    features = centres[labels] + 3.5 * torch.randn(len(labels), width, generator=generator)
    names = tuple(f"class {label}" for label in range(classes))
    return Split(F.normalize(features, dim=-1), labels, names)


def protonet(split: Split) -> Predict:
    """Cosine ProtoNet."""
    return cosine_predict(split.images)


def syntrans(split: Split, semantic: int) -> Predict:
    """SynTrans with class vectors [C, M], images bridged here; untrained, which costs the same."""
    width = split.images.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        bridges = [Bridge(width, semantic).eval() for _ in range(4)]
        memory = F.normalize(torch.randn(64, width), dim=-1)
        reconstructor = SemanticWeightReconstructor(bridges, width, semantic)
        vectors = F.normalize(torch.randn(len(split.class_names), semantic), dim=-1)
    classifier = MultimodalClassifier(VisualWeightGenerator(memory), reconstructor).eval()
    bridged = to_semantic(bridges, split.images)
    return OneProduct(classifier, Given(split.images, bridged, vectors), Mix(0.4, 0.2)).logits


def fit(split: Split, semantic: int, iterations: int) -> None:
    """Stages 3 and 4 of SynTrans on base features [n, D], kept in no cache that lasts."""
    generator = torch.Generator().manual_seed(0)
    vectors = F.normalize(
        torch.randn(len(split.class_names), semantic, generator=generator), dim=-1
    )
    with TemporaryDirectory() as folder:
        stages = Stages(
            base=LabelledFeatures(split.images, split.labels, vectors, split.class_names),
            settings=SynTransSettings(meta=MetaTraining(iterations=iterations)),
            job=Job(),
            cache=Cache(Path(folder)),
        )
        stages.meta_trained(ways=5, shots=1)
        assert stages.view is not None  # fitted at first sight
