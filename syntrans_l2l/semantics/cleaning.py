"""What a model answered, made into phrases by stated rules.

1. A JSON list of strings (or an object that holds lists) gives its strings. Otherwise lines
   that begin with a bullet or a number give phrases where there are any; otherwise all lines
   do, and where there is but one line its sentences do.
2. What a reasoning model thinks aloud, HTML tags, Markdown, quotation marks and the final stop
   go; so does an opening such as "It has" or "The NAME has", which the prompt says already.
3. Rejected, with the reason, are phrases that are not in English letters, name the class and
   say nothing else, are shorter than 2 or longer than 24 words, were said before, or come
   after the first 24.
"""

import html
import json
import re
from collections.abc import Iterator

from syntrans_l2l.semantics.names import readable

WORDS = (2, 24)
MOST = 24
_FOREIGN = 0.2  # share of letters outside ASCII above which a phrase is not English

_ITEM = re.compile(r"^\s*(?:[-*+•–]|\(?\d{1,3}[.):])\s+(.*)$")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_TAG = re.compile(r"<[^<>]*>")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*_`#|]+")
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|;\s*")
_HAS = re.compile(r"^(?:it|they|which|that|this)\s+(?:usually\s+|often\s+)?(?:has|have)\s+", re.I)
_WORD = re.compile(r"\w+")
_ARTICLES = frozenset(("a", "an", "the", "of", "photo", "picture", "image", "with"))


def clean(answer: str, class_name: str) -> list[tuple[str, str]]:
    """Phrases and, for each, why it is rejected; an empty reason means that it is usable.

    Raises:
        ValueError: nothing is usable; the message names the class and shows the answer.
    """
    judged: list[tuple[str, str]] = []
    usable: set[str] = set()
    for raw in _pieces(answer):
        phrase = _stripped(raw, class_name)
        if not phrase:
            continue
        reason = _fault(phrase, class_name, usable)
        judged.append((phrase, reason))
        if not reason:
            usable.add(phrase.casefold())
    if not usable:
        reasons = "; ".join(dict.fromkeys(reason for _, reason in judged)) or "empty"
        shown = " ".join(answer.split())[:60]
        raise ValueError(f"no usable phrase about {class_name!r} in {shown!r} ({reasons})")
    return judged


def names_only(phrase: str, class_name: str) -> bool:
    """Whether `phrase` has no word beyond those of the class's name."""
    words = set(_WORD.findall(phrase.casefold())) - _ARTICLES
    stems = {word.rstrip("s") for word in _WORD.findall(readable(class_name).casefold())}
    return all(word.rstrip("s") in stems for word in words)


def _pieces(answer: str) -> Iterator[str]:
    """What rule 1 takes for phrases."""
    text = _FENCE.sub("", _THOUGHT.sub("", answer)).strip()
    start, end = text.find("["), text.rfind("]")
    for candidate in (text, text[start : end + 1] if 0 <= start < end else ""):
        try:
            decoded = json.loads(candidate)
        except ValueError:
            continue
        strings = list(_strings(decoded))
        if strings and isinstance(decoded, list | dict):
            yield from strings
            return
    lines = [line for line in text.splitlines() if line.strip()]
    items = [match[1] for line in lines if (match := _ITEM.match(line))]
    yield from items or (lines if len(lines) > 1 else _SENTENCE.split(text))


def _strings(decoded: object) -> Iterator[str]:
    if isinstance(decoded, str):
        yield decoded
    elif isinstance(decoded, list):
        for part in decoded:
            yield from _strings(part)
    elif isinstance(decoded, dict):
        for part in decoded.values():
            yield from _strings(part)


def _stripped(raw: str, class_name: str) -> str:
    """Rule 2."""
    text = _MARKS.sub(" ", _LINK.sub(r"\1", _TAG.sub(" ", html.unescape(raw))))
    text = " ".join(text.split()).strip(" \"'“”‘’.,;:!?")
    name = re.escape(readable(class_name))
    text = re.sub(rf"^(?:an?|the)?\s*{name}s?\s+(?:has|have)\s+", "", text, flags=re.I)
    return _HAS.sub("", text)


def _fault(phrase: str, class_name: str, usable: set[str]) -> str:
    """Rule 3."""
    letters = [character for character in phrase if character.isalpha()]
    foreign = sum(not letter.isascii() for letter in letters)
    words = len(phrase.split())
    if not letters or foreign > _FOREIGN * len(letters):
        return "not in English letters"
    if names_only(phrase, class_name):
        return "names the class only"
    if not WORDS[0] <= words <= WORDS[1]:
        return f"{words} words, where {WORDS[0]} to {WORDS[1]} are used"
    if phrase.casefold() in usable:
        return "said before"
    if len(usable) == MOST:
        return f"after the first {MOST} phrases"
    return ""
