"""Which paper a row of a table comes from, and its entry for BibTeX.

Only papers whose authors and titles are certain are listed; other rows get no key.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent.parent / "assets" / "references.json"


def citation(label: str) -> str | None:
    """The key of the paper whose method a row's label begins with; None where none is listed.

    "ProtoNet (cosine), distilled" is ProtoNet's, "CLIP-LP+LN" is not CLIP's.
    """
    names = {name: entry["key"] for entry in _entries() for name in entry["rows"]}
    fitting = [name for name in names if re.match(rf"{re.escape(name)}($|[\s,_(])", label)]
    return names[max(fitting, key=len)] if fitting else None


def references(labels: Iterable[str]) -> str:
    """The BibTeX entries of all rows that have one."""
    keys = {citation(label) for label in labels}
    return "\n".join(_bibtex(entry) for entry in _entries() if entry["key"] in keys)


def _bibtex(entry: dict[str, Any]) -> str:
    fields = {**entry["fields"], "title": f"{{{entry['fields']['title']}}}"}  # keeps its capitals
    lines = "".join(f"  {name} = {{{text}}},\n" for name, text in fields.items())
    return f"@{entry['type']}{{{entry['key']},\n{lines}}}\n"


@cache
def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return entries
