"""SynTrans as a learn2learn algorithm: clone, adapt to a support set, answer queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.algorithms import pretrained
from syntrans_l2l.algorithms.class_table import ClassTable
from syntrans_l2l.algorithms.scoring import Given, to_semantic
from syntrans_l2l.algorithms.selection import Choice
from syntrans_l2l.algorithms.task_checks import ADAPT, checked_task
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import fuse
from syntrans_l2l.semantics.bank import SemanticBank

l2l = learn2learn()

if TYPE_CHECKING:
    _BaseLearner = nn.Module
else:
    _BaseLearner = l2l.algorithms.base_learner.BaseLearner


@dataclass(frozen=True)
class _Fitted:
    """What adapting makes: normalised weights w [N, D], and the class vectors s [N, M]."""

    weight: Tensor
    vectors: Tensor | None


class SynTrans(ClassTable, _BaseLearner):
    """The multimodal classifier of a task, made from its support set and its classes' vectors.

    As with learn2learn's MAML, `learner = algorithm.clone()`, then `learner.adapt(...)`, then
    `learner(query)`. With `nn.Identity()` as encoder it stands where learn2learn's
    PrototypicalClassifier stands: `fit_` on features, then `forward`.

    Args:
        features: the encoder f, frozen or not: inputs [n, ...] -> [n, D].
        classifier: generator and reconstructor of the weights.
        semantics: class vectors [C, M] as a text encoder gives them; row c is that of class id
            c. None for a visual classifier.
        alpha: the share of the visual weight; None takes the classifier's learned one.
        semantic_weight: b, the weight of `cos(G_vs(query), s)`.
        mean: of the base classes' normalised vectors, [M], taken off all vectors; zero for None.
        left_out: for each base class, the bridge that has not seen it, [B]; the first for None.

    Attributes:
        selected: what `fit_syntrans` selected, on which split and from which grid.
        choice: the same in numbers; None where nothing was selected.

    Source: Tang, He, Qin, "Connecting Giants", IJCAI 2025; the form is our reconstruction.
    """

    module: nn.Module
    left_out: Tensor

    def __init__(
        self,
        features: nn.Module,
        classifier: MultimodalClassifier,
        semantics: Tensor | SemanticBank | None = None,
        *,
        alpha: float | None = None,
        semantic_weight: float = 0.0,
        mean: Tensor | None = None,
        left_out: Tensor | None = None,
    ) -> None:
        super().__init__(nn.Identity())
        self.classifier = classifier
        self.alpha = alpha
        self.semantic_weight = semantic_weight
        self.selected: dict[str, object] = {}
        self.choice: Choice | None = None
        if left_out is None:
            left_out = torch.zeros(len(classifier.generator.memory), dtype=torch.int64)
        if mean is None:
            mean = torch.zeros(classifier.bridges[0].semantic_dim if classifier.bridges else 0)
        self.register_buffer("mean", mean)
        self.register_buffer("left_out", left_out)
        self.register_buffer("semantics", None, persistent=False)  # its height is the task's affair
        self._task: _Fitted | None = None
        self.module = features  # the last, because learn2learn looks up missing names in it
        if semantics is not None:
            self.set_classes_(semantics)

    def set_encoder_(self, features: nn.Module) -> "SynTrans":
        """Replace the encoder in place: for tasks of its inputs, and not of its features."""
        self.module = features.to(self.mean.device).train(self.training)
        return self

    def clone(self) -> "SynTrans":
        """A learner of its own; gradients of its parameters reach this one's.

        What adapting changes is not shared: the task's weights, and the encoder's buffers, such
        as the running statistics of a BatchNorm in train mode.
        """
        clone: SynTrans = l2l.clone_module(self)
        for module in clone.module.modules():
            for name, buffer in module._buffers.items():
                module._buffers[name] = None if buffer is None else buffer.clone()
        return clone

    def adapt(
        self,
        support: Tensor,
        labels: Tensor | None = None,
        class_ids: Tensor | Sequence[int] | None = None,
        *,
        base: bool = False,
    ) -> None:
        """Make the classifier of a task.

        Args:
            support: inputs of the encoder, [n, ...]; classes may have different shots.
            labels: 0 to N - 1, [n].
            class_ids: rows of the table of class vectors, [N]: those of label 0, 1, ...
            base: the ids are those of base classes, in meta-training: attention does not see
                them, and each class's bridge is the one that was fitted without it.

        Raises:
            TypeError: called as MAML's `adapt(loss)`.
            ValueError: labels, class ids or the encoder's features do not fit.
        """
        self.fit_(support, labels, class_ids, base=base)

    def fit_(
        self,
        support: Tensor,
        labels: Tensor | None = None,
        class_ids: Tensor | Sequence[int] | None = None,
        *,
        base: bool = False,
    ) -> Tensor:
        """`adapt` under the name that learn2learn's classifiers use; returns w, [N, D]."""
        rows, table = self.left_out if base else self.semantics, self.semantics
        labels, ids = checked_task(support, labels, class_ids, None if rows is None else len(rows))
        if base and table is not None and len(table) != len(self.left_out):
            raise ValueError(
                f"base=True needs the vectors of the {len(self.left_out)} base classes, got "
                f"{len(table)}: call set_classes_(vectors)"
            )
        if table is None and self.classifier.bridges:
            raise ValueError("no class vectors: give semantics=, or call set_classes_(vectors)")
        features = self._embed(support)  # [n, D]
        vectors = None if table is None else table[ids]  # [N, M]
        pairs = [
            self.classifier.weights(
                features[labels == label][None, None],  # [1, 1, K, D]
                None if vectors is None else vectors[None, label : label + 1],
                own=ids[None] if base else None,
                fold=int(self.left_out[class_id]) if base else None,
            )
            for label, class_id in enumerate(ids.tolist())
        ]
        visual = torch.cat([w_v for w_v, _ in pairs], dim=1)[0]  # [N, D]
        semantic = None
        if vectors is not None:
            semantic = torch.cat([w_s for _, w_s in pairs if w_s is not None], dim=1)[0]
        weight = fuse(visual, semantic, self.current_alpha)
        self._task = _Fitted(weight, vectors)
        return weight

    def forward(self, query: Tensor) -> Tensor:
        """Logits of queries [n, ...] for the classes of the task, [n, N].

        Raises:
            RuntimeError: there is no task yet.
        """
        if self._task is None:
            raise RuntimeError(f"no task to answer for: call {ADAPT} first")
        features, task = self._embed(query), self._task  # [n, D]
        logits = features @ task.weight.T
        bridged = to_semantic(self.classifier.bridges, features) if self.semantic_weight else None
        if bridged is not None and task.vectors is not None:
            logits = logits + self.semantic_weight * bridged @ task.vectors.T
        return self.classifier.temperature * logits

    def save_pretrained(self, folder: str | Path) -> None:
        """Write weights and class vectors as safetensors, the rest as JSON, and a model card."""
        config = {
            "alpha": self.alpha,
            "semantic_weight": self.semantic_weight,
            "text_encoder": self.text_encoder,
            "prompt": self.prompt,
            "class_names": list(self.class_names),
            "classifier": pretrained.describe(self.classifier),
        }
        pretrained.save(Path(folder), config, self.state_dict(), self.semantics)

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path, features: nn.Module | None = None
    ) -> "SynTrans":
        """Read what `save_pretrained` wrote; in eval mode, the bridges frozen.

        Args:
            name_or_path: a local folder, or a model's name on the hub.
            features: a module like the encoder that was saved; its weights are loaded too.

        Raises:
            FileNotFoundError: neither a folder nor a model of the hub, or incomplete.
            ValueError: damaged, or made with another encoder than `features`.
        """
        saved = pretrained.load(name_or_path)
        classifier = pretrained.rebuild(saved.config["classifier"])
        settings = {name: saved.config[name] for name in ("alpha", "semantic_weight")}
        algorithm = cls(features or nn.Identity(), classifier, **settings)
        saved.load_into(algorithm)
        algorithm.semantics = saved.semantics
        algorithm.class_names = tuple(saved.config["class_names"])
        algorithm.text_encoder = saved.config["text_encoder"]
        algorithm.prompt = saved.config["prompt"]
        return algorithm.eval()

    def given(self, features: Tensor, vectors: Tensor | None) -> Given:
        """For many episodes at once: features [n, D] and class vectors [C, M] of a split.

        Both as the encoder and the text encoder give them.
        """
        features = F.normalize(features.to(self.mean.device), dim=-1)
        if vectors is None:
            return Given(features)
        bridged = to_semantic(self.classifier.bridges, features)
        return Given(features, bridged, self.centred(vectors))

    @property
    def current_alpha(self) -> Tensor | float:
        """The share of the visual weight, fixed or learned."""
        return self.classifier.alpha_logit.sigmoid() if self.alpha is None else self.alpha

    def _embed(self, inputs: Tensor) -> Tensor:
        """n(f(x)): [n, ...] -> [n, D]."""
        features: Tensor = self.module(inputs)
        width = self.classifier.generator.memory.shape[1]
        if features.ndim != 2 or features.shape[1] != width:
            raise ValueError(
                f"features={type(self.module).__name__} gives {list(features.shape)}, and bridge "
                f"and classifier take [n, {width}]; pass features= the encoder of their training"
            )
        return F.normalize(features, dim=-1)
