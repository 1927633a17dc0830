"""The journal of questions and answers: a killed run loses no answer and asks none again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from syntrans_l2l.atomic import atomic


class Journal:
    """One small file an answer, named by the hash of who was asked what.

    Args:
        folder: made on the first write.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()

    def read(self, model: Mapping[str, object], prompt: str) -> str | None:
        """The answer that `model` once gave to `prompt`; None where there is none to be read."""
        try:
            entry = json.loads(self._path(model, prompt).read_text(encoding="utf-8"))
            return str(entry["answer"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self, model: Mapping[str, object], prompt: str, answer: str) -> None:
        """Keep an answer, whole or not at all."""
        path = self._path(model, prompt)
        entry = {"model": dict(model), "prompt": prompt, "answer": answer}
        with atomic(path) as partial:
            partial.write_text(json.dumps(entry, indent=1, default=str), encoding="utf-8")

    def _path(self, model: Mapping[str, object], prompt: str) -> Path:
        text = json.dumps([dict(model), prompt], sort_keys=True, default=str)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"
