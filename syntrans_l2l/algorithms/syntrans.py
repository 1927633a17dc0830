"""SynTrans as a learn2learn algorithm: clone, adapt to a support set, answer queries."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional as F

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.algorithms import pretrained
from syntrans_l2l.algorithms.class_table import ClassTable
from syntrans_l2l.algorithms.labelled_features import Aligned
from syntrans_l2l.algorithms.mixing import Choice
from syntrans_l2l.algorithms.parts import FittedParts
from syntrans_l2l.algorithms.scoring import Given, given_of, to_semantic
from syntrans_l2l.algorithms.task_checks import ADAPT, checked_task
from syntrans_l2l.networks.classifier import MultimodalClassifier
from syntrans_l2l.networks.fusion import Mix, fuse
from syntrans_l2l.networks.whitening import WhitenedView
from syntrans_l2l.semantics.bank import SemanticBank

l2l = learn2learn()
_NOTHING = FittedParts()

if TYPE_CHECKING:
    _BaseLearner = nn.Module
else:
    _BaseLearner = l2l.algorithms.base_learner.BaseLearner


@dataclass(frozen=True)
class _Task:
    """What adapting makes: normalised weights w [N, D], and what further logits need.

    Shapes: vectors s [N, M]; whitened w' [N, D]; aligned t [N, A]; None where they have no weight.
    """

    weight: Tensor
    vectors: Tensor | None
    whitened: Tensor | None
    aligned: Tensor | None


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
        fitted: what fitting on base classes adds.

    Attributes:
        projection: features of the encoder, [n, D], into the space that images and text share,
            [n, A]; see `set_projection_`.
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
        fitted: FittedParts = _NOTHING,
    ) -> None:
        super().__init__(nn.Identity())
        self.classifier = classifier
        self.alpha = alpha
        self.semantic_weight = semantic_weight
        self.selected: dict[str, object] = {}
        self.choice: Choice | None = None
        self.whitened_weight = fitted.whitened_weight
        self.aligned_weight = fitted.aligned_weight
        self.view = fitted.view
        self.projection: nn.Module | None = None
        left_out, mean = fitted.left_out, fitted.mean
        if left_out is None:
            left_out = torch.zeros(len(classifier.generator.memory), dtype=torch.int64)
        if mean is None:
            mean = torch.zeros(classifier.bridges[0].semantic_dim if classifier.bridges else 0)
        self.register_buffer("mean", mean)
        self.register_buffer("left_out", left_out)
        self.register_buffer("semantics", None, persistent=False)  # its height is the task's affair
        self.register_buffer("aligned_vectors", None, persistent=False)
        self._task: _Task | None = None
        self.module = features  # the last, because learn2learn looks up missing names in it
        if semantics is not None:
            self.set_classes_(semantics)

    def set_encoder_(self, features: nn.Module) -> "SynTrans":
        """Replace the encoder in place: for tasks of its inputs, and not of its features."""
        self.module = features.to(self.mean.device).train(self.training)
        return self

    def set_projection_(self, projection: nn.Module) -> "SynTrans":
        """Say how features get into the space that images and text share, in place.

        Needed where the aligned part has a weight: stage 1's P, or `nn.Identity()` where the
        encoder's own features lie in that space, as CLIP's do.

        Args:
            projection: features as the encoder gives them, [n, D] -> [n, A].
        """
        self.projection = projection.to(self.mean.device).train(self.training)
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
                them, and each class's bridge is the one that was fitted without it.

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
        table, shared = self.semantics, self.aligned_vectors
        known = self.left_out if base else shared if table is None else table
        classes = None if known is None else len(known)
        labels, ids = checked_task(support, labels, class_ids, classes)
        if base and table is not None and len(table) != len(self.left_out):
            raise ValueError(
                f"base=True needs the vectors of the {len(self.left_out)} base classes, got "
                f"{len(table)}: call set_classes_(vectors)"
            )
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
        weight = fuse(visual, semantic, self.current_alpha)
        whitened = self._whitened(features, labels, vectors)
        self._task = _Task(weight, vectors, whitened, self._aligned(ids, base=base))
        return weight

    def _whitened(self, features: Tensor, labels: Tensor, vectors: Tensor | None) -> Tensor | None:
        """w' [N, D] of support features n(z) [n, D] and class vectors [N, M]."""
        if self.view is None or self.whitened_weight == 0.0:
            return None
        seen = self.view(features)
        ways = range(int(labels.max()) + 1)
        means = torch.stack([seen[labels == label].mean(0) for label in ways])
        of_text = None if vectors is None else self.view.of_text(vectors)
        return fuse(means, of_text, self.current_alpha)

    def _aligned(self, ids: Tensor, *, base: bool) -> Tensor | None:
        """t [N, A] of the task's classes; base classes may have no text there."""
        if self.aligned_weight == 0.0 or (base and self.aligned_vectors is None):
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
        embedded, task = self._embed(query), self._task
        features = F.normalize(embedded, dim=-1)  # [n, D]
        logits = features @ task.weight.T
        bridged = to_semantic(self.classifier.bridges, features) if self.semantic_weight else None
        if bridged is not None and task.vectors is not None:
            logits = logits + self.semantic_weight * bridged @ task.vectors.T
        if task.whitened is not None and self.view is not None:
            logits = logits + self.whitened_weight * self.view(features) @ task.whitened.T
        if task.aligned is not None and self.projection is not None:
            aligned = F.normalize(self.projection(embedded), dim=-1)  # [n, A]
            logits = logits + self.aligned_weight * aligned @ task.aligned.T
        return self.classifier.temperature * logits

    def save_pretrained(self, folder: str | Path) -> None:
        """Write weights and class vectors as safetensors, the rest as JSON, and a model card."""
        config = {
            "alpha": self.alpha,
            "semantic_weight": self.semantic_weight,
            "whitened_weight": self.whitened_weight,
            "aligned_weight": self.aligned_weight,
            "projection": None if self.projection is None else type(self.projection).__name__,
            "text_encoder": self.text_encoder,
            "prompt": self.prompt,
            "class_names": list(self.class_names),
            "classifier": pretrained.describe(self.classifier),
        }
        tables = {"semantics": self.semantics, "aligned_vectors": self.aligned_vectors}
        pretrained.save(Path(folder), config, self.state_dict(), tables)

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
        saved = pretrained.load(name_or_path)
        config, described = saved.config, saved.config["classifier"]
        view = None
        if config["whitened_weight"]:
            view = WhitenedView(described["visual_dim"], described.get("semantic_dim", 0))
        algorithm = cls(
            features or nn.Identity(),
            pretrained.rebuild(described),
            alpha=config["alpha"],
            semantic_weight=config["semantic_weight"],
            fitted=FittedParts(
                view=view,
                whitened_weight=config["whitened_weight"],
                aligned_weight=config["aligned_weight"],
            ),
        )
        if projection is not None or config["projection"] == "Identity":
            algorithm.set_projection_(projection or nn.Identity())
        saved.load_into(algorithm)
        algorithm.semantics = saved.tables.get("semantics")
        algorithm.aligned_vectors = saved.tables.get("aligned_vectors")
        algorithm.class_names = tuple(config["class_names"])
        algorithm.text_encoder = config["text_encoder"]
        algorithm.prompt = config["prompt"]
        return algorithm.eval()

    def given(
        self, features: Tensor, vectors: Tensor | None, aligned: Aligned | None = None
    ) -> Given:
        """For many episodes at once: features [n, D] and class vectors [C, M] of a split.

        Both as the encoder and the text encoder give them.
        """
        return given_of(
            F.normalize(features.to(self.mean.device), dim=-1),
            None if vectors is None else self.centred(vectors),
            bridges=self.classifier.bridges,
            view=self.view,
            aligned=aligned,
        )

    @property
    def mix(self) -> Mix:
        """The weights of the parts of a logit."""
        return Mix(
            self.current_alpha, self.semantic_weight, self.whitened_weight, self.aligned_weight
        )

    @property
    def current_alpha(self) -> Tensor | float:
        """The share of the visual weight, fixed or learned."""
        return self.classifier.alpha_logit.sigmoid() if self.alpha is None else self.alpha

    def _embed(self, inputs: Tensor) -> Tensor:
        """f(x), not normalised: [n, ...] -> [n, D]."""
        features: Tensor = self.module(inputs)
        width = self.classifier.generator.memory.shape[1]
        if features.ndim != 2 or features.shape[1] != width:
            raise ValueError(
                f"features={type(self.module).__name__} gives {list(features.shape)}, and bridge "
                f"and classifier take [n, {width}]; pass features= the encoder of their training"
            )
        return features
