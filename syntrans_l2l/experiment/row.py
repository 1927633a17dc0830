"""One line of a table: a method, the encoder under it and the text beside it."""

from dataclasses import dataclass
from typing import Literal, get_args

from syntrans_l2l.encoders.base import Encoder
from syntrans_l2l.methods.base import Method, readable
from syntrans_l2l.semantics.text_encoder import TextEncoder

EncoderName = Literal["base", "distilled", "teacher"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A method on an encoder with semantics; a plain method is a row on the base student.

    Args:
        method: what predicts.
        encoder: whose features it sees: the experiment's student after stage 0 ("base") or
            stage 1 ("distilled"), its teacher ("teacher"), or an encoder of its own, such as
            a `Checkpoint`.
        text_encoder: makes its class vectors; None takes the experiment's.
        name: what the records call it; empty takes the method's own name.
        label: what tables print; empty takes `name`, and without one the method's own title,
            such as "ProtoNet (cosine)".

    Raises:
        ValueError: unknown encoder.
    """

    method: Method
    encoder: EncoderName | Encoder = "base"
    text_encoder: TextEncoder | None = None
    name: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.encoder, str) and self.encoder not in get_args(EncoderName):
            raise ValueError(
                f"Row.encoder must be one of {get_args(EncoderName)} or an encoder such as "
                f"@Checkpoint(), got {self.encoder!r}"
            )

    @property
    def title(self) -> str:
        """The row's name in records, by which it is asked for."""
        return self.name or self.method.name

    @property
    def printed(self) -> str:
        """What tables call it."""
        return self.label or self.name or _title(self.method)


def _title(method: Method) -> str:
    """Its own title; a class of somebody else's does not go by the title that it inherits."""
    bases = [base for base in type(method).__mro__ if not _ours(base)]
    stated = _ours(type(method)) or any("title" in vars(base) for base in bases)
    return method.title if stated else readable(method.name)


def _ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]
