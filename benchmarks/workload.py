"""What is timed: drawn features, cosine ProtoNet, SynTrans as it is after fitting, and fitting."""

import torch
from torch.nn import functional as F

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.methods.base import Predict
from syntrans_l2l.methods.one_product import OneProduct
from syntrans_l2l.methods.protonet import cosine_predict
from syntrans_l2l.methods.scoring import to_semantic
from syntrans_l2l.networks.bridge import Bridge
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.reconstructor import SemanticWeightReconstructor
from syntrans_l2l.networks.weight_generator import VisualWeightGenerator
from syntrans_l2l.training.bridge import BridgeTraining, class_centres, fit_bridges, make_folds
from syntrans_l2l.training.meta import MetaTraining, meta_train


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
    return OneProduct(classifier, split.images, bridged, vectors, 0.4, 0.2).logits


def fit(split: Split, semantic: int, folds: int = 4, iterations: int = 400) -> None:
    """Stages 3 and 4 of SynTrans on base features, as gin/methods/syntrans.gin has them."""
    features, labels, classes = split.images, split.labels, len(split.class_names)
    parts = make_folds(classes, folds, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vectors = F.normalize(torch.randn(classes, semantic), dim=-1)
        bridges = fit_bridges(
            features, labels, vectors, parts, BridgeTraining(), seed=0, stage="bridges"
        )
        reconstructor = SemanticWeightReconstructor(bridges, features.shape[1], semantic)
    generator = VisualWeightGenerator(class_centres(features, labels, classes))
    meta_train(
        MultimodalClassifier(generator, reconstructor),
        features,
        labels,
        vectors,
        parts,
        MetaTraining(iterations=iterations),
        ways=min(5, classes // folds),
        shots=1,
        seed=0,
        advance=lambda steps: None,
    )
