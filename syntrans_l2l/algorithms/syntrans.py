"""SynTrans as a learn2learn algorithm: clone, adapt to a support set, answer queries."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.algorithms import pretrained_files
from syntrans_l2l.algorithms.mixing import Choice
from syntrans_l2l.algorithms.parts import FittedParts
from syntrans_l2l.algorithms.pretrained import Pretrained, rebuilt
from syntrans_l2l.algorithms.task_checks import ADAPT
from syntrans_l2l.algorithms.task_classifier import TaskClassifier
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix, fuse
from syntrans_l2l.semantics.bank import SemanticBank

l2l = learn2learn()
_NOTHING = FittedParts()

if TYPE_CHECKING:
    _BaseLearner = nn.Module
else:
    _BaseLearner = l2l.algorithms.base_learner.BaseLearner


class SynTrans(Pretrained, _BaseLearner):
    """The multimodal classifier of a task, made from its support set and its classes' vectors.

    As with learn2learn's MAML, `learner = algorithm.clone()`, then `learner.adapt(...)`, then
    `learner(query)`. With `nn.Identity()` as encoder it stands where learn2learn's
    PrototypicalClassifier stands: `fit_` on features, then `forward`.

    Args:
        features: the encoder f, frozen or not: inputs [n, ...] -> [n, D].
        classifier: generator and reconstructor of the weights.
        semantics: class vectors [C, M] as a text encoder gives them; row c is that of class id
            c. None for a visual classifier.
        mix: the weights of the parts of a logit. A number keeps alpha fixed. The classifier's
            own alpha, a tensor, is learned. None learns it too, with all other weights 0.
        fitted: what fitting on base classes adds; a whitened view where its weight is not 0.

    Attributes:
        selected: what `fit_syntrans` selected, on which split and from which grid.
        choice: the same in numbers; None where nothing was selected.

    Raises:
        ValueError: alpha is a tensor, and not the classifier's; or there is a whitened view
            without a weight, or a weight without a view.

    Source: Tang, He, Qin, "Connecting Giants", IJCAI 2025; the form is our reconstruction.
    """

    def __init__(
        self,
        features: nn.Module,
        classifier: MultimodalClassifier,
        semantics: Tensor | SemanticBank | None = None,
        *,
        mix: Mix | None = None,
        fitted: FittedParts = _NOTHING,
    ) -> None:
        super().__init__(nn.Identity())
        self.classifier = classifier
        self._fixed, self._learns_alpha = _checked(mix, classifier)
        _check_view(self._fixed, fitted)
        self.selected: dict[str, object] = {}
        self.choice: Choice | None = None
        self.view = fitted.view
        self.projection = None
        left_out, mean = fitted.left_out, fitted.mean
        if left_out is None:
            left_out = torch.zeros(len(classifier.generator.memory), dtype=torch.int64)
        if mean is None:
            mean = torch.zeros(classifier.bridges[0].semantic_dim if classifier.bridges else 0)
        self.register_buffer("mean", mean)
        self.register_buffer("left_out", left_out)
        self.register_buffer("semantics", None, persistent=False)  # its height is the task's affair
        self.register_buffer("aligned_vectors", None, persistent=False)
        self._task: TaskClassifier | None = None
        self.module = features  # the last, because learn2learn looks up missing names in it
        if semantics is not None:
            self.set_classes_(semantics)

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
        labels: Tensor | ArrayLike | None = None,
        class_ids: Tensor | ArrayLike | None = None,
        *,
        base: bool = False,
    ) -> None:
        """Make the classifier of a task.

        Args:
            support: inputs of the encoder, [n, ...]; classes may have different shots.
            labels: 0 to N - 1, [n]; a tensor, an array or a list.
            class_ids: rows of the table of class vectors, [N]: those of label 0, 1, ...
            base: the ids are those of base classes, in meta-training: attention does not see
                them, and each w_s is made by the bridge that was fitted without its class. The
                parts of the logit that compare queries with text, and the whitened view, were
                fitted on all base classes.

        Raises:
            TypeError: called as MAML's `adapt(loss)`.
            ValueError: labels, class ids or the encoder's features do not fit.
        """
        self.fit_(support, labels, class_ids, base=base)

    def fit_(
        self,
        support: Tensor,
        labels: Tensor | ArrayLike | None = None,
        class_ids: Tensor | ArrayLike | None = None,
        *,
        base: bool = False,
    ) -> Tensor:
        """`adapt` under the name that learn2learn's classifiers use; returns w, [N, D]."""
        table = self.semantics
        labels, ids = self._checked_task(support, labels, class_ids, base=base)
        if table is None and self.classifier.bridges:
            raise ValueError("no class vectors: give semantics=, or call set_classes_(vectors)")
        features = F.normalize(self._embed(support), dim=-1)  # [n, D]
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
        weight = fuse(visual, semantic, self.mix.alpha)
        whitened = self._whitened(features, labels, vectors)
        self._task = TaskClassifier(weight, vectors, whitened, self._aligned(ids, base=base))
        return weight

    def _whitened(self, features: Tensor, labels: Tensor, vectors: Tensor | None) -> Tensor | None:
        """w' [N, D] of support features n(z) [n, D] and class vectors [N, M]."""
        if self.view is None or self.mix.whitened_weight == 0.0:
            return None
        seen = self.view(features)
        ways = range(int(labels.max()) + 1)
        means = torch.stack([seen[labels == label].mean(0) for label in ways])
        of_text = None if vectors is None else self.view.of_text(vectors)
        return fuse(means, of_text, self.mix.alpha)

    def _aligned(self, ids: Tensor, *, base: bool) -> Tensor | None:
        """t [N, A] of the task's classes; base classes may have no text there."""
        if self.mix.aligned_weight == 0.0 or (base and self.aligned_vectors is None):
            return None
        if self.aligned_vectors is None or self.projection is None:
            raise ValueError(
                "images and text are compared in a space that they share: call "
                "set_classes_(..., aligned=vectors) and set_projection_(P), nn.Identity() where "
                "the features lie in it"
            )
        return self.aligned_vectors[ids]

    def forward(self, query: Tensor) -> Tensor:
        """Logits of queries [n, ...] for the classes of the task, [n, N].

        Raises:
            RuntimeError: there is no task yet.
        """
        if self._task is None:
            raise RuntimeError(f"no task to answer for: call {ADAPT} first")
        return self.classifier.temperature * self._task.logits(self._seen(query), self.mix)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        features: nn.Module | None = None,
        projection: nn.Module | None = None,
    ) -> "SynTrans":
        """Read what `save_pretrained` wrote; in eval mode, the bridges frozen.

        Args:
            name_or_path: a local folder, or a model's name on the hub.
            features: a module like the encoder that was saved; its weights are loaded too.
            projection: likewise, like the projection that was saved; None where it was
                `nn.Identity()`, or where there was none.

        Raises:
            FileNotFoundError: neither a folder nor a model of the hub, or incomplete.
            ValueError: damaged, or made with another encoder or projection.
        """
        saved = pretrained_files.load(name_or_path)
        classifier, mix, fitted = rebuilt(saved.config)
        algorithm = cls(features or nn.Identity(), classifier, mix=mix, fitted=fitted)
        algorithm._fill(saved, projection)
        return algorithm.eval()

    @property
    def mix(self) -> Mix:
        """The weights of the parts of a logit; a learned alpha as it stands now, with its graph."""
        if not self._learns_alpha:
            return self._fixed
        return replace(self._fixed, alpha=self.classifier.alpha_logit.sigmoid())


def _checked(mix: Mix | None, classifier: MultimodalClassifier) -> tuple[Mix, bool]:
    """A mix without tensors, and whether its alpha is the classifier's."""
    learned = classifier.alpha_logit.detach().sigmoid()
    if mix is None:
        return Mix(), True
    if not isinstance(mix.alpha, Tensor):
        return mix, False
    if not torch.equal(mix.alpha.to(learned), learned):
        raise ValueError(
            f"mix.alpha is the tensor {mix.alpha.tolist()}, and only the classifier's alpha "
            f"{learned.tolist():.4g} can be learned: give a number, which stays"
        )
    return replace(mix, alpha=1.0), True


def _check_view(mix: Mix, fitted: FittedParts) -> None:
    """Raise ValueError where the whitened view and its weight do not come together."""
    weight = mix.whitened_weight
    if weight and fitted.view is None:
        raise ValueError(
            f"Mix.whitened_weight is {weight:g}, and there is no whitened view: give "
            "fitted=FittedParts(view=...), or set the weight to 0"
        )
    if fitted.view is not None and not weight:
        raise ValueError(
            "FittedParts has a whitened view, and Mix.whitened_weight is 0: leave the view out, or "
            "give it a weight"
        )
