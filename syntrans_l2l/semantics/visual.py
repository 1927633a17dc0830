"""Phrases that no picture shows: by a word list and, where one is at hand, by a language model."""

import re
from collections.abc import Sequence

from syntrans_l2l.semantics.journal import Journal
from syntrans_l2l.semantics.language_model import LanguageModel, asked

# a phrase with one of these speaks of sounds, smells, habits, history, worth, or of nothing;
# words that also describe a picture ("bark", "symbol", "venomous snake") are left out
_WORDS = """
    barking call calls chirp chirping chirps hum humming melody noise noises noisy odor odour
    roar roaring scent smell smells sound sounds squeak squeaks taste tastes tasty delicious
    century centuries culture cultural famous historic historical history invented origin
    originated originates popular tradition traditions
    behavior behaviour diet endangered feeds friendly hunts intelligence intelligent lifespan
    loyal migrates migratory personality sociable temperament
    affordable cheap cost costs expensive price valuable
    appealing beautiful interesting lovely recognisable recognise recognizable recognize
"""
NON_VISUAL = frozenset(_WORDS.split())

QUESTION = (
    "Can the following be SEEN in a single still photograph of a {name}: {phrase}? "
    "Answer with one word, yes or no."
)
_WORD = re.compile(r"[a-z]+")
_NO = re.compile(r"\W*no\b", re.IGNORECASE)


def non_visual_word(phrase: str) -> str:
    """The first word of `phrase` that is on the list, or an empty string."""
    return next((word for word in _WORD.findall(phrase.lower()) if word in NON_VISUAL), "")


class VisualJudge:
    """A language model says whether a phrase can be seen in a photograph.

    Only a plain "no" drops a phrase: whatever else the model answers lets it stay.

    Args:
        model: who is asked.
        journal: the folder where answers are kept, so that nothing is asked twice.
    """

    def __init__(self, model: LanguageModel, *, journal: str = "results/answers") -> None:
        self.model = model
        self.journal = Journal(journal)
        self.source = f"judged by {model.source}"

    def key(self) -> dict[str, object]:
        return {"judge": self.model.key(), "question": QUESTION}

    def visible(self, phrases: Sequence[tuple[str, str]]) -> list[bool]:
        """Whether each phrase, given as (readable name, phrase), can be seen."""
        questions = [QUESTION.format(name=name, phrase=phrase) for name, phrase in phrases]
        answers = asked(self.model, questions, self.journal)
        return [not _NO.match(answers[question]) for question in questions]
