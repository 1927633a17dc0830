"""A class and a phrase about it as one text, whatever form the phrase has.

| phrase | text |
| --- | --- |
| a long neck | a photo of a heron, which has a long neck |
| with a long neck; has a long neck; which has a long neck. | the same |
| is grey; which wades | a photo of a heron, which is grey; ..., which wades |
| It is grey. A heron is grey. Herons wade in water. | a photo of a heron. It is grey. ... |

A sentence is told by its form: a capital at its beginning and a stop at its end, a pronoun or the
class's name as its subject, or "is", "are", "has" and the like behind its first words.
"""

import re

_NAMED = r"(?:an?|the|all|most|some|many)\s+(?:\w+\s+)?{name}s?(?:'s)?(?:\s+\w|,)|{name}s?:"
_PRONOUN = re.compile(r"(?:it|they|he|she|this|these|there|you|we)(?:'\w+)?\s", re.I)
_WHOLE = re.compile(r"[A-Z].*[.!?][\"'”’)]*", re.DOTALL)
_RELATIVE = r"(?:that|which|who|whose|where|when|as|if|what|how)\b"
_FINITE = r"(?:is|are|was|were|has|have|had|(?:can|may|will|might|tends?\s+to)\s+(?:be|have))\b"
_CLAUSE = re.compile(rf"(?:(?!{_RELATIVE}|{_FINITE})[\w'’-]+,?\s+){{1,6}}{_FINITE}", re.I)
_HAS = re.compile(r"(?:(?:which|that)\s+)?(?:has|have)\s+|with\s+", re.I)
_PREDICATE = re.compile(r"(?:which|that)\s+(?=\w)|(?=(?:is|are|was|were|can\s+be)\s)", re.I)


def is_sentence(phrase: str, name: str) -> bool:
    """Whether `phrase` about a `name` stands by itself."""
    named = re.compile(_NAMED.format(name=re.escape(name)), re.IGNORECASE)
    if _WHOLE.fullmatch(phrase) or _PRONOUN.match(phrase) or named.match(phrase):
        return True
    return not _PREDICATE.match(phrase) and _CLAUSE.match(phrase) is not None


def joined(name: str, phrase: str) -> str:
    """What a text tower reads for a class called `name` and a phrase about it."""
    phrase = phrase.strip()
    if is_sentence(phrase, name):
        stop = "" if phrase[-1] in ".!?\"'”’)" else "."
        return f"a photo of a {name}. {phrase[0].upper()}{phrase[1:]}{stop}"
    phrase = phrase.rstrip(".!?")
    if opening := _HAS.match(phrase):
        phrase = phrase[opening.end() :]
    elif opening := _PREDICATE.match(phrase):
        return f"a photo of a {name}, which {phrase[opening.end() :]}"
    return f"a photo of a {name}, which has {phrase}"
