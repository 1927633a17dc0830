"""What tells one result from another: hashes of all that determines it.

A row of a table spans several columns, and what it stands on is not the same in all of them: the
students of two data sets have other weights, and their class vectors other numbers. Each of the
two is therefore known by two hashes. One is exact and tells rows of one column apart; the other
says how the thing is made, whatever the data, and joins a row's cells across columns.

    part        exact, within a column          across columns
    method      settings and seed               the same
    code        of the method, and of what      the same
                evaluates it
    encoder     `encoder`: the weights          `encoder_recipe`: name, training, seed, code
    text        `semantics`: names, vectors     `semantics_kind`: what made the vectors
    data        `data`: the fingerprint         is the column
    episodes    `episodes`: N, K, Q, seed       is the column

How many episodes there are is no part of it: of two records that agree in all else the one with
more episodes is the better measurement of the same thing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from syntrans_l2l.cache import digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.episodes.size import EpisodeSize
from syntrans_l2l.methods.base import Arena, Method

PARTS = (
    "method", "code", "encoder", "encoder_recipe", "semantics", "semantics_kind", "data",
    "episodes",
)  # fmt: skip
_LONG = 60  # characters; longer settings are kept as a hash
_EVALUATION = ("syntrans_l2l.episodes.episodes", "syntrans_l2l.evaluation.evaluate",
               "syntrans_l2l.evaluation.statistics")  # fmt: skip


def identity(method: Method, arena: Arena, size: EpisodeSize, seed: int) -> dict[str, str]:
    """The hash of each of PARTS; empty where the row does without that part.

    Args:
        method: the row's.
        arena: what it stands on; its seed is that of training.
        size: of the episodes.
        seed: of the episodes.
    """
    semantics, recipe = arena.semantics, arena.recipes.get("student", {})
    aligned = arena.aligned_text if arena.aligned_text is not semantics else None
    name = f"{type(method).__module__}.{type(method).__qualname__}"
    return {
        "method": digest({"name": name, "settings": method.settings(), "seed": arena.seed}),
        "code": code_digest(method, *_EVALUATION),
        "encoder": arena.student,
        "encoder_recipe": digest(recipe) if recipe else "",
        "semantics": " ".join(bank.digest for bank in (semantics, aligned) if bank),
        "semantics_kind": digest(
            {"source": semantics.source, **({"aligned": aligned.source} if aligned else {})}
        )
        if semantics
        else "",
        "data": arena.data.fingerprint,
        "episodes": digest(
            {
                "ways": size.ways,
                "shots": size.shots,
                "queries": size.queries,
                "seed": seed,
            }
        ),
    }


def settings(method: Method, arena: Arena) -> dict[str, object]:
    """Every setting of the method, its student and its text, by a dotted name.

    Those of the student begin with "student.", those of the text with "text.".
    """
    return {
        **dict(_flat("", method.settings())),
        **{
            name: value
            for part, recipe in arena.recipes.items()
            for name, value in _flat(f"{part}.", recipe)
        },
    }


def with_code(data: FewShotData, made_by: object) -> FewShotData:
    """`data`, whose fingerprint also knows the code of a data set that is not this package's.

    Ours know by their own keys what decides images, labels and names.
    """
    if type(made_by).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return data
    key = {"fingerprint": data.fingerprint, "code": code_digest(made_by)}
    return replace(data, fingerprint=digest(key))


def _flat(start: str, content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{start}{name}.", value)
        elif isinstance(value, bool | int | float | None) or len(str(value)) <= _LONG:
            simple = isinstance(value, bool | int | float | None)
            yield f"{start}{name}", value if simple else str(value)
        else:
            yield f"{start}{name}", digest({"value": value})
