"""A class's card on the terminal: what is kept in bold, what is dropped struck through."""

from collections.abc import Callable

from syntrans_l2l.semantics.bank_file import MinedBank
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.names import readable

_BOLD, _STRUCK, _DIM, _PLAIN = "\033[1m", "\033[9m", "\033[2m", "\033[0m"


def summary(bank: MinedBank) -> str:
    """What the bank is, in a few lines."""
    kept = sum(descriptor.kept for descriptor in bank.descriptors)
    classes, width = bank.vectors.vectors.shape
    return (
        f"{bank.vectors.source}\n"
        f"{classes} classes{f' of {bank.dataset}' if bank.dataset else ''}, {kept} of "
        f"{len(bank.descriptors)} phrases kept, vectors of width {width}, "
        f"hash {bank.vectors.digest}\nimages seen: {bank.observed}"
    )


def card(bank: MinedBank, class_name: str, *, styled: bool = True) -> str:
    """The phrases of one class with score, writer and reason; kept ones first.

    Args:
        bank: where from.
        class_name: as the bank or as a reader spells it.
        styled: whether the terminal shows bold and struck-through text.

    Raises:
        ValueError: the bank has no such class.
    """
    spellings = {readable(name): name for name in bank.vectors.class_names}
    name = class_name if class_name in bank.vectors.class_names else spellings.get(class_name, "")
    if not name:
        raise ValueError(
            f"the bank has no class {class_name!r}; it has {', '.join(sorted(spellings)[:8])}, ..."
        )
    paint: Callable[[str, str], str] = lambda text, style: (  # noqa: E731
        f"{style}{text}{_PLAIN}" if styled else text
    )
    lines = [paint(readable(name), _BOLD)]
    for descriptor in best_first(bank.of_class(name)):
        mark, style = ("+", _BOLD) if descriptor.kept else ("-", _STRUCK)
        lines.append(f"  {mark} {paint(descriptor.phrase, style)}")
        lines.append(paint(f"      {remark(descriptor)}", _DIM))
    return "\n".join(lines)


def best_first(descriptors: list[Descriptor]) -> list[Descriptor]:
    """Kept before dropped, each by score."""
    return sorted(descriptors, key=lambda each: (not each.kept, -(each.score or 0.0)))


def remark(descriptor: Descriptor) -> str:
    """Score, reason and writer in one line."""
    score = "" if descriptor.score is None else f"score {descriptor.score:+.3f}; "
    several = f" and {descriptor.agreement - 1} more" if descriptor.agreement > 1 else ""
    return f"{score}{descriptor.reason}; {descriptor.written_by}{several}"
