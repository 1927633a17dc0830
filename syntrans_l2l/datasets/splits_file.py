"""How people say which classes are base, validation and novel.

A JSON file of class folders, three CSV files of pictures, or three folders of class folders.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from syntrans_l2l.array_file import normal_name
from syntrans_l2l.datasets.base import ALIASES, SPLITS
from syntrans_l2l.datasets.contents import some_of
from syntrans_l2l.datasets.folders import (
    class_folders,
    find,
    image_files,
    is_file,
    is_folder,
    name_on_disk,
    unique_names,
)

FORM = '{"train": ["CLASS", ...], "val": [...], "test": [...]}'
_SPELLINGS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}

Pictures = dict[str, dict[str, list[Path]]]  # split -> class key -> files


def read_json(path: Path) -> dict[str, object]:
    """An object of a JSON file; a byte order mark is passed over.

    Raises:
        ValueError: it is not of this form, or a name occurs twice.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [normal_name(name) for name, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice[:3])} occurs twice")
        return dict(zip(names, (value for _, value in pairs), strict=True))

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=unique)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON of text in UTF-8: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold an object {{...}}, got a {type(content).__name__}")
    return content


def from_listing(root: Path, splits: Mapping[str, object], where: str) -> Pictures:
    """The pictures of the class folders that `splits` names.

    Args:
        root: the folder of class folders.
        splits: split -> class folders, as `FORM` says.
        where: what errors call `splits`.

    Raises:
        FileNotFoundError: class folders are missing.
        ValueError: `splits` is not of this form, or names a class twice.
    """
    named = _checked(splits, where)
    classes = [name for split in SPLITS for name in named[split]]
    folders = {name: find(root, name) for name in classes}
    if missing := [name for name, folder in folders.items() if not is_folder(folder)]:
        raise FileNotFoundError(
            f"{some_of(missing, 'class folders are missing')}, below {root}; correct root or "
            f"{where}"
        )
    return {split: {name: image_files(folders[name]) for name in named[split]} for split in SPLITS}


def _checked(splits: Mapping[str, object], where: str) -> dict[str, list[str]]:
    """Class folders by split, in Unicode's normal form; raises as above."""
    named: dict[str, list[str]] = {}
    for split, names in splits.items():
        of = ALIASES.get(split, split)
        if of not in SPLITS or of in named:
            raise ValueError(f"{where} must name train, val and test, got {list(splits)}")
        if isinstance(names, str) or not isinstance(names, Sequence) or not names:
            raise ValueError(f"{where}: {split} must be a list of class folders, got {names!r:.60}")
        if wrong := [name for name in names if not isinstance(name, str) or not name.strip("./")]:
            raise ValueError(f"{where}: {split} must list class folders, got {wrong[0]!r:.60}")
        named[of] = [normal_name(name.strip("/")) for name in names]
    if set(named) != set(SPLITS):
        raise ValueError(f"{where} must name train, val and test, got {list(splits)}")
    classes = [name for split in SPLITS for name in named[split]]
    if twice := sorted({name for name in classes if classes.count(name) > 1}):
        raise ValueError(f"{where} names {', '.join(twice[:3])} twice")
    return named


def from_tables(root: Path, tables: Mapping[str, Path]) -> Pictures:
    """The pictures that CSV files list, of the columns `filename` and `label`.

    Files are looked for below `root`, `root`/images and `root`/LABEL. A label may stand in
    several splits, with other pictures.

    Args:
        root: the folder of pictures.
        tables: split -> CSV file.

    Raises:
        FileNotFoundError: pictures are missing.
        ValueError: a table is not of this form, or a picture is listed twice.
    """
    found: dict[str, dict[str, dict[str, Path]]] = {}
    missing, seen, twice = [], set(), []
    for split, table in tables.items():
        labels: dict[str, dict[str, Path]] = {}
        for filename, label in _rows(table):
            places = [root / filename, root / "images" / filename, root / label / filename]
            path = next((place for place in places if is_file(place)), None)
            if path is None:
                missing.append(filename)
                continue
            (twice.append(filename) if path in seen else seen.add(path))
            labels.setdefault(label, {})[filename] = path
        found[split] = labels
    if missing:
        raise FileNotFoundError(
            f"{some_of(missing, 'pictures are missing')}, below {root}; correct root or the tables"
        )
    if twice:
        raise ValueError(f"{some_of(twice, 'pictures are listed twice')}, in {_files(tables)}")
    keys = unique_names(
        {
            split: {f"{tables[split].stem}/{label}": label for label in sorted(found[split])}
            for split in SPLITS
        }
    )
    return {
        split: {
            key: list(found[split][path.partition("/")[2]].values()) for path, key in of.items()
        }
        for split, of in keys.items()
    }


def _rows(table: Path) -> list[tuple[str, str]]:
    """The filename and label of every row; raises ValueError as `from_tables` does."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            read = csv.DictReader(file)
            if lacking := {"filename", "label"} - set(read.fieldnames or ()):
                raise ValueError(f"it lacks the column {' and '.join(sorted(lacking))}")
            rows = [
                ((row["filename"] or "").strip(), normal_name((row["label"] or "").strip()))
                for row in read
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"{table} is no CSV of filename,label in UTF-8: {error}") from error
    if not rows:
        raise ValueError(f"{table} lists no picture")
    for number, row in enumerate(rows, 2):
        if not all(row):
            raise ValueError(f"{table}: row {number} lacks a filename or a label")
    return rows


def from_split_folders(folders: Mapping[str, Path]) -> Pictures:
    """The pictures of SPLIT/CLASS folders; classes of one name in two splits are two classes.

    Raises:
        ValueError: a split has no class folder.
    """
    classes = {
        split: {f"{folder.name}/{name_on_disk(each)}": each for each in class_folders(folder)}
        for split, folder in folders.items()
    }
    if empty := [str(folders[split]) for split, paths in classes.items() if not paths]:
        raise ValueError(f"no class folder in {', '.join(empty)}")
    names = unique_names(
        {
            split: {path: path.partition("/")[2] for path in paths}
            for split, paths in classes.items()
        }
    )
    return {
        split: {key: image_files(classes[split][path]) for path, key in keys.items()}
        for split, keys in names.items()
    }


def find_splits(root: Path, splits: str) -> Pictures:
    """The pictures as the files say that lie there.

    Args:
        root: the folder of the data set.
        splits: a JSON file or a folder of CSV files below it; empty takes what there is, of
            splits.json, train.csv, val.csv and test.csv, and the folders train, val and test.

    Raises:
        FileNotFoundError: nothing of this is there.
        ValueError: it is not of its form.
    """
    listing = find(root, splits or "splits.json")
    if is_file(listing):
        return from_listing(root, read_json(listing), str(listing))
    folder = find(root, splits)
    if tables := _of_each_split(folder, ".csv"):
        return from_tables(root, tables)
    if folders := _of_each_split(folder, ""):
        return from_split_folders(folders)
    raise FileNotFoundError(
        f"no file of splits at {listing}: it is JSON of the form {FORM}; train.csv, val.csv and "
        f"test.csv of filename,label, or the folders train, val and test, are not in {folder} "
        "either"
    )


def _of_each_split(folder: Path, suffix: str) -> dict[str, Path]:
    """The three files or folders named for the splits, or none."""
    found = {
        split: place
        for split, spellings in _SPELLINGS.items()
        for place in (folder / f"{name}{suffix}" for name in reversed(spellings))
        if (is_file(place) if suffix else is_folder(place))
    }
    return {split: found[split] for split in SPLITS} if len(found) == len(SPLITS) else {}


def _files(tables: Mapping[str, Path]) -> str:
    return ", ".join(str(table) for table in tables.values())
