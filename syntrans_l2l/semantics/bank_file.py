"""Banks on disk: one JSON for people, one safetensors for machines, each with the other's hash."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from syntrans_l2l.array_file import normal_name
from syntrans_l2l.atomic import atomic
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.descriptors import Descriptor

logger = logging.getLogger(__name__)
FORMAT = "syntrans_l2l semantic bank 1"


@dataclass(frozen=True, kw_only=True)
class MinedBank:
    """What SynMine made of some classes.

    Args:
        vectors: one a class.
        descriptors: all phrases, dropped ones included.
        dataset: whose classes they are; empty where no data set was at hand.
        observed: which images a vision-language model has seen; "none" for text alone.
        made_by: the keys of describer, refiner and encoder.
    """

    vectors: SemanticBank
    descriptors: Sequence[Descriptor]
    dataset: str
    observed: str
    made_by: Mapping[str, object]

    def of_class(self, class_name: str) -> list[Descriptor]:
        """The phrases about one class, kept and dropped."""
        return [each for each in self.descriptors if each.class_name == class_name]


def write_bank(bank: MinedBank, path: Path) -> None:
    """Write `path` (.json) and the vectors beside it; the same bank gives the same bytes."""
    text = _text(bank)
    header = {
        "class_names": list(bank.vectors.class_names),
        "descriptors_sha256": _digest(text),
    }
    vectors = path.with_suffix(".safetensors")
    with atomic(vectors) as partial:
        # one entry only: safetensors writes several in an order of its own
        tensors = {"vectors": bank.vectors.vectors.contiguous()}
        save_file(tensors, partial, {"bank": json.dumps(header)})
        sha256 = hashlib.sha256(partial.read_bytes()).hexdigest()
    shape = list(bank.vectors.vectors.shape)
    stored = {"file": vectors.name, "shape": shape, "sha256": sha256}
    whole = {"format": FORMAT, **text, "vectors": stored}
    with atomic(path) as partial:
        listed = json.dumps(whole, indent=1, ensure_ascii=False, default=str)
        partial.write_text(listed + "\n", encoding="utf-8")


def read_bank(path: Path) -> MinedBank:
    """The bank whose JSON lies at `path`.

    Raises:
        FileNotFoundError: the JSON or the vectors are missing.
        ValueError: one is not of the stated form, or they do not belong together.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT!r}")
        stored = content["vectors"]
        vectors = path.parent / Path(stored["file"]).name
        data = vectors.read_bytes()
        with safe_open(vectors, framework="pt") as file:
            header = json.loads((file.metadata() or {})["bank"])
            tensor = file.get_tensor("vectors")
        text = {name: content[name] for name in _PARTS}
        sums = (stored["sha256"], header["descriptors_sha256"], header["class_names"])
        descriptors = list(_descriptors(content["classes"], content["prompts"]))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"no bank at {path}: {error.filename} is missing; a bank is FILE.json with "
            "FILE.safetensors beside it, and benchmarks/mine.py makes it"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise ValueError(f"{path} is no semantic bank ({error}); mine it again") from error
    if hashlib.sha256(data).hexdigest() != sums[0]:
        raise ValueError(f"{vectors} is not what {path} was written with: mine the bank again")
    if sums[1:] != (_digest(text), list(content["classes"])):
        raise ValueError(f"{path} was changed after its vectors were made: mine the bank again")
    return MinedBank(
        vectors=SemanticBank(tuple(header["class_names"]), tensor, content["source"]),
        descriptors=descriptors,
        dataset=content["dataset"],
        observed=content["observed"],
        made_by=content["made_by"],
    )


@runtime_checkable
class Miner(Protocol):
    """A text encoder whose vectors are made of phrases that can be shown."""

    def key(self) -> dict[str, object]:
        """All that determines phrases and vectors, for the cache."""
        ...

    def mine(self, class_names: Sequence[str]) -> list[Descriptor]:
        """All descriptors, dropped ones included."""
        ...

    def encode(self, class_names: Sequence[str], descriptors: Sequence[Descriptor]) -> SemanticBank:
        """The vectors of what was kept."""
        ...


def kept_bank(path: Path, miner: Miner, class_names: Sequence[str], dataset: str) -> MinedBank:
    """The bank at `path`, mined and written there first where it is missing or damaged.

    Args:
        path: of its JSON.
        miner: who makes it.
        class_names: of all classes.
        dataset: whose classes they are.
    """
    try:
        return read_bank(path)
    except FileNotFoundError:
        pass
    except ValueError as error:
        logger.warning("damaged bank (%s): mining it anew", error)
    descriptors = miner.mine(class_names)
    bank = MinedBank(
        vectors=miner.encode(class_names, descriptors),
        descriptors=descriptors,
        dataset=dataset,
        observed="none",
        made_by=miner.key(),
    )
    write_bank(bank, path)
    return bank


class BankFile:
    """The vectors of a bank on disk, for any benchmark.

    Raises:
        FileNotFoundError: there is no such bank.
        ValueError: the bank is damaged, or its two files do not belong together.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.source = self.bank.vectors.source

    @cached_property
    def bank(self) -> MinedBank:
        """The whole bank."""
        return read_bank(self.path)

    def key(self) -> dict[str, object]:
        return {"bank": self.bank.vectors.digest}

    def check(self, class_names: Sequence[str]) -> int:
        return self.encode_classes(class_names).vectors.shape[1]

    def encode_classes(self, class_names: Sequence[str]) -> SemanticBank:
        return self.of(class_names).vectors

    def of(self, class_names: Sequence[str]) -> MinedBank:
        """The part of the bank about these classes, in this order.

        Raises:
            ValueError: a class has no vector; the message lists the missing names.
        """
        names, vectors = tuple(class_names), self.bank.vectors
        chosen = SemanticBank(names, vectors.select(names), vectors.source)
        spelled = {normal_name(name): name for name in names}
        descriptors = [
            replace(each, class_name=spelled[normal_name(each.class_name)])
            for each in self.bank.descriptors
            if normal_name(each.class_name) in spelled
        ]
        return replace(self.bank, vectors=chosen, descriptors=descriptors)


_PARTS = ("source", "dataset", "observed", "made_by", "classes", "prompts")


def _text(bank: MinedBank) -> dict[str, object]:
    """What people read, as JSON will give it back."""
    classes: dict[str, list[dict[str, object]]] = {name: [] for name in bank.vectors.class_names}
    for descriptor in bank.descriptors:
        entry = asdict(descriptor)
        del entry["class_name"]
        classes[descriptor.class_name].append({**entry, "prompt": descriptor.prompt_hash})
    text = {
        "source": bank.vectors.source,
        "dataset": bank.dataset,
        "observed": bank.observed,
        "made_by": bank.made_by,
        "classes": classes,
        "prompts": {each.prompt_hash: each.prompt for each in bank.descriptors},
    }
    return cast(dict[str, object], json.loads(json.dumps(text, default=str)))


def _descriptors(
    classes: Mapping[str, Sequence[Mapping[str, Any]]], prompts: Mapping[str, str]
) -> list[Descriptor]:
    return [
        Descriptor(**{**entry, "class_name": name, "prompt": prompts[entry["prompt"]]})
        for name, entries in classes.items()
        for entry in entries
    ]


def _digest(text: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()
