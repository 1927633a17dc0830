"""What classes are called, apart from their folders: class_names.json."""

from pathlib import Path

from syntrans_l2l.array_file import normal_name
from syntrans_l2l.datasets.contents import some_of
from syntrans_l2l.datasets.folders import is_file, unique_names
from syntrans_l2l.datasets.splits_file import Pictures, read_json

NAMES = "class_names.json"


def read_names(root: Path, pictures: Pictures) -> dict[str, dict[str, str]]:
    """The names of all classes, from `root`/class_names.json where there is one.

    It maps class folders, or their last part, to names: {"n02110341": "dalmatian"}. A class
    that it lacks is called as its folder is.

    Raises:
        ValueError: it is not of this form, or names folders that are none and lacks classes.
    """
    path = root / NAMES
    given = read_json(path) if is_file(path) else {}
    if wrong := [
        key for key, name in given.items() if not isinstance(name, str) or not name.split()
    ]:
        raise ValueError(f"{path}: {', '.join(wrong[:3])} must have a name as text")
    used: set[str] = set()
    names: dict[str, dict[str, str]] = {}
    lacking = []
    for split, classes in pictures.items():
        names[split] = {}
        for key in classes:
            told = next((each for each in (key, key.rpartition("/")[2]) if each in given), None)
            if told is None:
                lacking.append(key)
            else:
                used.add(told)
            name = key if told is None else " ".join(str(given[told]).split())
            names[split][key] = normal_name(name)
    if given and lacking and (unknown := sorted(set(given) - used)):
        raise ValueError(
            f"{path} names {some_of(unknown, 'folders')}, which are no classes, and lacks "
            f"{some_of(lacking, 'classes', 3)}"
        )
    return unique_names(names)
