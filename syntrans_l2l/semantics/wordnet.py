"""The describer that needs no model: WordNet's synonyms and gloss."""

import re
from collections.abc import Sequence

from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.names import gloss, synonyms, wordnet_id

PROMPT = "WordNet's synonyms and gloss of {wnid}, as timm.data.ImageNetInfo has them"
_PART = re.compile(r";\s+")


class WordNet:
    """Synonyms and the parts of the gloss of ImageNet's classes, from the tables in timm.

    Classes are called by their WordNet id or by its first synonym. A gloss reads "a large
    breed having a smooth white coat; originated in Dalmatia": each part between semicolons is
    a phrase.
    """

    source = "WordNet"

    def key(self) -> dict[str, object]:
        return {"describer": self.source}

    def describe(self, class_names: Sequence[str], progress: Progress = silent) -> list[Descriptor]:
        unknown, found = [], []
        for name in class_names:
            try:
                wnid = wordnet_id(name)
                texts = [*_PART.split(gloss(wnid)), *map(_also, synonyms(wnid)[1:])]
            except ValueError:
                unknown.append(name)
                continue
            found += [
                Descriptor(
                    class_name=name,
                    phrase=text,
                    written_by=self.source,
                    prompt=PROMPT.format(wnid=wnid),
                )
                for text in dict.fromkeys(texts)
            ]
        if unknown:
            raise ValueError(
                f"WordNet describes ImageNet's classes (n02110341), not {len(unknown)} of "
                f"{len(class_names)} classes: {', '.join(unknown[:8])}; bind another describer"
            )
        return found


def _also(synonym: str) -> str:
    return f"also the name {synonym}"
