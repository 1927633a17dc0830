"""Which files of a folder are pictures, and which folders hold classes."""

import os
from collections.abc import Mapping
from pathlib import Path

from syntrans_l2l.array_file import normal_name

# forms that Pillow reads, and the phones' own, which it reads with a plug-in or names as broken
_PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".pbm", ".pnm",
    ".tif", ".tiff", ".gif", ".jp2", ".heic", ".heif", ".avif"
)  # fmt: skip
# what operating systems and storage servers leave in any folder; names with a dot in front too
_LEFT_BEHIND = frozenset(
    ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "@tmp", "@recycle",
     "#recycle", "$recycle.bin", "lost+found", "system volume information")
)  # fmt: skip


def _is_left_behind(name: str) -> bool:
    return name.startswith((".", "~$")) or name.lower() in _LEFT_BEHIND


def image_files(folder: Path) -> list[Path]:
    """The pictures in a folder, sorted; what systems leave there and other files are none."""
    with os.scandir(folder) as entries:  # 60,000 files are too many for a question each
        names = sorted(
            entry.name
            for entry in entries
            if entry.name.lower().endswith(_PICTURES)
            and not _is_left_behind(entry.name)
            and not entry.is_dir()
        )
    return [folder / name for name in names]


def class_folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; not those that systems leave there."""
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not _is_left_behind(path.name)
    )


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name that is too long to ask for is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is such a file, as `is_folder`."""
    try:
        return path.is_file()
    except OSError:
        return False


def find(root: Path, name: str) -> Path:
    """`root`/`name`, whichever Unicode form the disk has it in: accents in one sign or two."""
    path = root
    for part in Path(name).parts:
        wanted = path / part
        if not part.isascii() and not (is_folder(wanted) or is_file(wanted)) and is_folder(path):
            names = {name_on_disk(each): each for each in path.iterdir()}
            wanted = names.get(normal_name(part), wanted)
        path = wanted
    return path


def name_on_disk(path: Path) -> str:
    """The last part of a path as text in its normal form, in any locale."""
    return normal_name(os.fsencode(path.name).decode("utf-8", "surrogateescape"))


def unique_names(names: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Names of classes made distinct: `names` maps split to class key to name, and so the result.

    Classes of one name, in two splits or in two domains, keep it as the last part of a path,
    "sketch/cat", which is what sentences say of it.
    """
    every = [name for split in names.values() for name in split.values()]
    return {
        split: {
            key: name if every.count(name) == 1 else _told_apart(key, name)
            for key, name in classes.items()
        }
        for split, classes in names.items()
    }


def _told_apart(key: str, name: str) -> str:
    return key if key.rpartition("/")[2] == name else f"{key}/{name}"
