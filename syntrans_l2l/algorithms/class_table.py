"""The table of class vectors that a SynTrans answers with."""

from collections.abc import Sequence
from typing import TypeVar

from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional as F

from syntrans_l2l.algorithms.class_vectors import centre
from syntrans_l2l.algorithms.task_checks import checked_task
from syntrans_l2l.semantics.bank import SemanticBank

Own = TypeVar("Own", bound="ClassTable")


class ClassTable:
    """The half of `SynTrans` that knows classes: their vectors, and where these come from.

    Attributes:
        semantics: class vectors as the bridge takes them, [C, M]; None where there are none.
        aligned_vectors: the classes' text in the space that it shares with images, [C, A],
            normalised; None where there is none.
        mean: of the base classes' normalised vectors, [M], taken off all vectors.
        left_out: for each base class, the bridge that has not seen it, [B].
        class_names: of the rows of `semantics`, where they are known.
        text_encoder: what made the class vectors, where it is known.
        prompt: of what text, likewise.
    """

    semantics: Tensor | None
    aligned_vectors: Tensor | None
    mean: Tensor
    left_out: Tensor
    class_names: tuple[str, ...] = ()
    text_encoder: str = ""
    prompt: str = ""

    def set_classes_(
        self: Own,
        semantics: Tensor | SemanticBank | None,
        class_names: Sequence[str] = (),
        *,
        text_encoder: str = "",
        prompt: str = "",
        aligned: Tensor | None = None,
    ) -> Own:
        """Replace the tables of the classes in place: for tasks of other classes.

        Args:
            semantics: [C, M], row c is the vector of class id c; a bank brings its names and its
                source. None for a SynTrans without a bridge.
            class_names: what the rows stand for, C of them; kept for whoever loads the algorithm.
            text_encoder: what made the vectors.
            prompt: of what text, such as "a photo of a {}".
            aligned: [C, A], row c is the text of class id c in the space that it shares with
                images, for a SynTrans that weighs it.

        Raises:
            ValueError: vectors of another width than the bridge was made for, or another number
                of names.
        """
        if isinstance(semantics, SemanticBank):
            class_names = class_names or semantics.class_names
            text_encoder = text_encoder or semantics.source
            semantics = semantics.vectors
        if semantics is not None and (semantics.ndim != 2 or semantics.shape[1] != len(self.mean)):
            if not len(self.mean):
                raise ValueError(
                    "this SynTrans has no bridge, so it takes no class vectors: fit it with "
                    "class_vectors, or leave semantics out"
                )
            trained = f", {self.text_encoder}" if self.text_encoder else ""
            raise ValueError(
                f"semantics must be class vectors [C, {len(self.mean)}], got "
                f"{list(semantics.shape)}; encode the names with the text encoder of the "
                f"training{trained}"
            )
        self._check_lengths(semantics, aligned, class_names)
        self.semantics = None if semantics is None else self.centred(semantics)
        self.aligned_vectors = None
        if aligned is not None:
            self.aligned_vectors = F.normalize(aligned.to(self.mean), dim=-1)
        self.class_names = tuple(class_names)
        self.text_encoder = text_encoder or self.text_encoder
        self.prompt = prompt or self.prompt
        return self

    @staticmethod
    def _check_lengths(
        semantics: Tensor | None, aligned: Tensor | None, class_names: Sequence[str]
    ) -> None:
        """Raise ValueError where the tables and the names are not of the same classes."""
        tables = [table for table in (semantics, aligned) if table is not None]
        if any(table.ndim != 2 or len(table) != len(tables[0]) for table in tables):
            raise ValueError(
                "class vectors and aligned vectors must be of the same classes, got "
                f"{[list(table.shape) for table in tables]}"
            )
        if class_names and tables and len(class_names) != len(tables[0]):
            raise ValueError(
                f"{len(tables[0])} class vectors need as many class_names, got {len(class_names)}"
            )

    def centred(self, vectors: Tensor) -> Tensor:
        """Class vectors [C, M] as a text encoder gives them, as the bridge takes them."""
        return centre(vectors.to(self.mean), self.mean)  # and its type: plugins of true precision

    def _checked_task(
        self,
        support: Tensor,
        labels: Tensor | ArrayLike | None,
        class_ids: Tensor | ArrayLike | None,
        *,
        base: bool,
    ) -> tuple[Tensor, Tensor]:
        """Labels [n] and class ids [N]; raises as `checked_task` does, for this table."""
        table = self.aligned_vectors if self.semantics is None else self.semantics
        known, count = self.left_out if base else table, len(self.left_out)
        if base and not count:
            raise ValueError("base=True, and this SynTrans knows no base classes: leave it out")
        checked = checked_task(support, labels, class_ids, None if known is None else len(known))
        if base and table is not None and len(table) != count:
            raise ValueError(
                f"base=True needs the vectors of the {count} base classes, got "
                f"{len(table)}: call set_classes_(vectors)"
            )
        return checked
