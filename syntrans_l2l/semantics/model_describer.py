"""The describer that asks a language model."""

from collections.abc import Mapping, Sequence

from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.cleaning import clean
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.journal import Journal
from syntrans_l2l.semantics.language_model import LanguageModel, asked
from syntrans_l2l.semantics.names import readable, sense

INSTRUCTION = (
    "List {count} visual features by which one recognises {name}{sense} in a photograph and "
    "tells it from similar things: overall form, proportions, colours, surface, distinctive "
    "parts, usual surroundings. Write one short English noun phrase a line, each beginning with "
    '"- ", of 4 to 14 words, such that "a photo of {name}, which has PHRASE" reads well. '
    "Do not use the name itself. Nothing that a picture cannot show. Write the list alone."
)


class ModelDescriber:
    """Asks a language model for the visual features of each class.

    What the model answers becomes phrases by the rules of `semantics.cleaning`; what these
    reject stays among the descriptors with the reason.

    Args:
        model: who is asked.
        journal: the folder where answers are kept, so that nothing is asked twice.
        count: phrases to ask for.
        senses: which sense a class's name has ("ray": "a flat fish"), or `wordnet_senses()`;
            WordNet ids carry theirs.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        journal: str = "results/answers",
        count: int = 8,
        senses: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self.journal = Journal(journal)
        self.count = count
        self.senses = dict(senses or {})
        self.source = model.source

    def key(self) -> dict[str, object]:
        settings = {"instruction": INSTRUCTION, "count": self.count, "senses": self.senses}
        return {"describer": self.model.key(), **settings}

    def describe(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        prompts = {name: self._prompt(name) for name in class_names}
        names = {prompt: name for name, prompt in prompts.items()}
        answers = asked(
            self.model,
            prompts.values(),
            self.journal,
            usable=lambda prompt, answer: _fault(answer, names[prompt]) == "",
            progress=progress,
            stage=f"{self.source} describes",
        )
        faults = [fault for name in class_names if (fault := _fault(answers[prompts[name]], name))]
        if faults:
            raise ValueError(
                f"{self.source}: {len(faults)} of {len(class_names)} classes have no usable "
                f"answer: {faults[0]}; start again to ask these alone"
            )
        return [
            Descriptor(
                class_name=name,
                phrase=phrase,
                written_by=self.source,
                prompt=prompts[name],
                kept=not reason,
                reason=reason or "not refined",
            )
            for name in class_names
            for phrase, reason in clean(answers[prompts[name]], name)
        ]

    def _prompt(self, class_name: str) -> str:
        name = readable(class_name)
        article = "an" if name[0].lower() in "aeiou" else "a"
        meaning = self.senses.get(class_name) or sense(class_name)
        return INSTRUCTION.format(
            count=self.count, name=f"{article} {name}", sense=f" ({meaning})" if meaning else ""
        )


def _fault(answer: str, class_name: str) -> str:
    """Why an answer is of no use; empty where it is."""
    try:
        clean(answer, class_name)
    except ValueError as error:
        return str(error)
    return ""
