"""The table of class vectors that a SynTrans answers with."""

from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor

from syntrans_l2l.algorithms.class_vectors import centre
from syntrans_l2l.semantics.bank import SemanticBank

Own = TypeVar("Own", bound="ClassTable")


class ClassTable:
    """The half of `SynTrans` that knows classes: their vectors, and where these come from.

    Attributes:
        semantics: class vectors as the bridge takes them, [C, M]; None where there are none.
        mean: of the base classes' normalised vectors, [M], taken off all vectors.
        class_names: of the rows of `semantics`, where they are known.
        text_encoder: what made the class vectors, where it is known.
        prompt: of what text, likewise.
    """

    semantics: Tensor | None
    mean: Tensor
    class_names: tuple[str, ...] = ()
    text_encoder: str = ""
    prompt: str = ""

    def set_classes_(
        self: Own,
        semantics: Tensor | SemanticBank,
        class_names: Sequence[str] = (),
        *,
        text_encoder: str = "",
        prompt: str = "",
    ) -> Own:
        """Replace the table of class vectors, [C, M], in place: for tasks of other classes.

        Args:
            semantics: row c is the vector of class id c; a bank brings its names and its source.
            class_names: what the rows stand for, C of them; kept for whoever loads the algorithm.
            text_encoder: what made the vectors.
            prompt: of what text, such as "a photo of a {}".

        Raises:
            ValueError: vectors of another width than the bridge was made for, or another number
                of names.
        """
        if isinstance(semantics, SemanticBank):
            class_names = class_names or semantics.class_names
            text_encoder = text_encoder or semantics.source
            semantics = semantics.vectors
        if semantics.ndim != 2 or semantics.shape[1] != len(self.mean):
            trained = f", {self.text_encoder}" if self.text_encoder else ""
            raise ValueError(
                f"semantics must be class vectors [C, {len(self.mean)}], got "
                f"{list(semantics.shape)}; encode the names with the text encoder of the "
                f"training{trained}"
            )
        if class_names and len(class_names) != len(semantics):
            raise ValueError(
                f"{len(semantics)} class vectors need as many class_names, got {len(class_names)}"
            )
        self.semantics = self.centred(semantics)
        self.class_names = tuple(class_names)
        self.text_encoder = text_encoder or self.text_encoder
        self.prompt = prompt or self.prompt
        return self

    def centred(self, vectors: Tensor) -> Tensor:
        """Class vectors [C, M] as a text encoder gives them, as the bridge takes them."""
        return centre(vectors.to(self.mean.device), self.mean)
