"""SynTrans as a learn2learn algorithm: clone, adapt to a support set, answer queries."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.algorithms import pretrained
from syntrans_l2l.algorithms.class_vectors import centre
from syntrans_l2l.algorithms.scoring import to_semantic
from syntrans_l2l.algorithms.task_checks import ADAPT, checked_task
from syntrans_l2l.methods.syntrans import FittedSynTrans
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import fuse, score

l2l = learn2learn()

if TYPE_CHECKING:
    _BaseLearner = nn.Module
else:
    _BaseLearner = l2l.algorithms.base_learner.BaseLearner


@dataclass(frozen=True)
class _Fitted:
    """What adapting makes: w_v and w_s [1, N, D], and the class vectors [1, N, M]."""

    visual: Tensor
    semantic: Tensor | None
    vectors: Tensor | None


class SynTrans(_BaseLearner):
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
        b: the weight of `cos(G_vs(query), s)`.
        mean: of the base classes' normalised vectors, [M], taken off all vectors; zero for None.
        left_out: for each base class, the bridge that has not seen it, [B]; the first for None.

    Source: Tang, He, Qin, "Connecting Giants", IJCAI 2025; the form is our reconstruction.
    """

    module: nn.Module
    mean: Tensor
    left_out: Tensor
    semantics: Tensor | None

    def __init__(
        self,
        features: nn.Module,
        classifier: MultimodalClassifier,
        semantics: Tensor | None = None,
        *,
        alpha: float | None = None,
        b: float = 0.0,
        mean: Tensor | None = None,
        left_out: Tensor | None = None,
    ) -> None:
        super().__init__(nn.Identity())
        self.classifier = classifier
        self.alpha = alpha
        self.b = b
        if left_out is None:
            left_out = torch.zeros(len(classifier.generator.memory), dtype=torch.int64)
        if mean is None:
            mean = torch.zeros(classifier.bridges[0].semantic if classifier.bridges else 0)
        self.register_buffer("mean", mean)
        self.register_buffer("left_out", left_out)
        self.register_buffer("semantics", None, persistent=False)  # its height is the task's affair
        self._task: _Fitted | None = None
        self.module = features  # the last, because learn2learn looks up missing names in it
        if semantics is not None:
            self.set_classes_(semantics)

    @classmethod
    def from_fitted(
        cls, fitted: FittedSynTrans, semantics: Tensor | None, features: nn.Module | None = None
    ) -> "SynTrans":
        """What `SynTransMethod.fit` left; in eval mode, the bridges frozen.

        `semantics` are those of the tasks' classes; `features` is the student it was fitted on,
        or None where tasks are made of its features.
        """
        classifier = copy.deepcopy(fitted.classifier).requires_grad_(True)
        if classifier.reconstructor is not None:
            classifier.reconstructor.bridges.requires_grad_(False)
        algorithm = cls(
            features or nn.Identity(),
            classifier,
            semantics,
            alpha=fitted.alpha,
            b=fitted.b,
            mean=fitted.centre,
            left_out=fitted.left_out,
        )
        return algorithm.to(classifier.generator.memory.device).eval()

    def set_classes_(self, semantics: Tensor) -> "SynTrans":
        """Replace the table of class vectors, [C, M], in place: for tasks of other classes.

        Raises:
            ValueError: vectors of another width than the bridge was made for.
        """
        if semantics.ndim != 2 or semantics.shape[1] != len(self.mean):
            raise ValueError(
                f"semantics must be class vectors [C, {len(self.mean)}], got "
                f"{list(semantics.shape)}; encode the names with the text encoder of the training"
            )
        self.semantics = centre(semantics.to(self.mean.device), self.mean)
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
        visual = torch.cat([w_v for w_v, _ in pairs], dim=1)
        semantic = None
        if vectors is not None:
            semantic = torch.cat([w_s for _, w_s in pairs if w_s is not None], dim=1)
        self._task = _Fitted(visual, semantic, None if vectors is None else vectors[None])
        weight = visual if semantic is None else fuse(visual, semantic, self._alpha())
        return F.normalize(weight[0], dim=-1)

    def forward(self, query: Tensor) -> Tensor:
        """Logits of queries [n, ...] for the classes of the task, [n, N].

        Raises:
            RuntimeError: there is no task yet.
        """
        if self._task is None:
            raise RuntimeError(f"no task to answer for: call {ADAPT} first")
        features, task, named = self._embed(query)[None], self._task, None  # [1, n, D]
        bridged = to_semantic(self.classifier.bridges, features) if self.b else None
        if bridged is not None and task.vectors is not None:
            named = torch.einsum("eqm,enm->eqn", bridged, task.vectors)
        scores = score(features, task.visual, task.semantic, named)
        return self.classifier.temperature * scores.logits(self._alpha(), self.b)[0]

    def save_pretrained(self, folder: str | Path) -> None:
        """Write weights and class vectors as safetensors and the rest as JSON into `folder`."""
        classifier = pretrained.describe(self.classifier)
        config = {"alpha": self.alpha, "b": self.b, "classifier": classifier}
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
        settings = {name: saved.config[name] for name in ("alpha", "b")}
        algorithm = cls(features or nn.Identity(), classifier, **settings)
        saved.load_into(algorithm)
        algorithm.semantics = saved.semantics
        return algorithm.eval()

    def _alpha(self) -> Tensor | float:
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
