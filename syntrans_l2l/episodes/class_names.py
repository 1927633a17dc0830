"""The class names of learn2learn's data sets, each of which keeps them in a place of its own."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from syntrans_l2l._learn2learn import learn2learn
from syntrans_l2l.datasets.fc100 import CLASSES
from syntrans_l2l.datasets.images import FILE_NAMES
from syntrans_l2l.datasets.unpickle import text, unpickle

_ATTRIBUTES = ("class_names", "classes", "categories")  # ours, ImageFolder's, torchvision's others


def class_names(dataset: Any) -> tuple[str, ...]:
    """Names by label: `class_names(taskset)[label]`, and so by the `class_ids` of a Task.

    Args:
        dataset: a Taskset, a MetaDataset (filtered or united too), or what they wrap: learn2learn's
            MiniImagenet, TieredImagenet, CIFARFS, FC100, CUBirds200, FGVCAircraft,
            DescribableTextures, Quickdraw and FGVCFungi, an ImageFolder, or anything with
            `class_names`, `classes` or `categories`. FC100 has the names of all 100 classes:
            its labels are places among these.

    Raises:
        ValueError: no names are found; the message says where they were looked for.
    """
    union = learn2learn().data.UnionMetaDataset
    inner = dataset
    while inner is not None:
        if isinstance(
            inner, union
        ):  # it counts the labels of its parts anew, one part after another
            parts = [(class_names(part), part.labels) for part in inner.datasets]
            return tuple(names[label] for names, labels in parts for label in labels)
        for find in (_attribute, _mini_imagenet, _tiered_imagenet, _fc100, _module_splits):
            if names := find(inner):
                return tuple(names)
        inner = getattr(inner, "dataset", None)
    raise ValueError(
        f"no class names in {type(dataset).__name__}: looked for {', '.join(_ATTRIBUTES)}, for the "
        "files and tables of learn2learn's data sets, and in .dataset below; give the data set a "
        "list .classes, in the order of its labels, before it is wrapped"
    )


def _attribute(dataset: Any) -> Sequence[str]:
    for name in _ATTRIBUTES:
        found = getattr(dataset, name, None)
        if found is not None and len(found):
            # torchvision's ImageNet has tuples of synonyms
            return [each if isinstance(each, str) else str(each[0]) for each in found]
    return ()


def _mini_imagenet(dataset: Any) -> Iterable[str]:
    """WordNet ids, by the numbers that MiniImagenet has given them."""
    numbers: dict[str, int] = getattr(dataset, "class_idx", {})
    return sorted(numbers, key=lambda wnid: numbers[wnid])


def _tiered_imagenet(dataset: Any) -> Sequence[str]:
    """TieredImagenet reads the names and drops them: they are read again."""
    if type(dataset).__name__ != "TieredImagenet":
        return ()
    split = FILE_NAMES[dataset.mode]
    content = unpickle(Path(dataset.root) / "tiered-imagenet" / f"{split}_labels.pkl")
    if not isinstance(content, dict) or "label_specific_str" not in content:
        return ()
    return [text(name) for name in content["label_specific_str"]]


def _fc100(dataset: Any) -> Sequence[str]:
    """The fine classes of CIFAR-100, where the labels are places among them."""
    if type(dataset).__name__ != "FC100":
        return ()
    fine = sorted(name for names in CLASSES.values() for name in names)
    found = sorted({int(label) for label in dataset.labels})
    published = sorted(CLASSES[dataset.mode])
    return fine if [fine[label] for label in found if label < len(fine)] == published else ()


def _module_splits(dataset: Any) -> Sequence[str]:
    """The table SPLITS of the module that a data set comes from, by the mode it was made with."""
    splits: dict[str, list[Any]] = getattr(sys.modules[type(dataset).__module__], "SPLITS", {})
    modes = (*(mode for mode in splits if mode != "all"), "all")
    path = Path(getattr(dataset, "_bookkeeping_path", "")).name
    named = (mode for mode in modes if f"-{mode}-bookkeeping" in path)
    mode = getattr(dataset, "mode", None) or next(named, None)
    names = splits.get(str(mode), [])
    if mode == "all" and not names:
        names = [name for each in splits.values() for name in each]
    return names if all(isinstance(name, str) for name in names) else ()
