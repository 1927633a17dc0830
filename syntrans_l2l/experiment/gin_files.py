"""Where configuration files lie, and the modules of their authors. Knows no gin."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import syntrans_l2l


def shipped() -> Path:
    """The folder of the shipped files: in the package where it was installed, beside it in a clone.

    Raises:
        FileNotFoundError: neither is there.
    """
    package = Path(syntrans_l2l.__file__).parent
    for folder in (package / "gin", package.parent / "gin"):
        if (folder / "syntrans_demo.gin").is_file():
            return folder
    raise FileNotFoundError(f"no gin files in {package} or beside it: install syntrans-l2l again")


def configuration_file(file: Path) -> Path:
    """A path as somebody typed it; a shipped file by its short name, or by "gin/NAME".

    Raises:
        FileNotFoundError: there is none.
    """
    folder = shipped()
    for place in (file, folder / file, folder.parent / file):
        if place.is_file():
            return place
    raise FileNotFoundError(f"no configuration file {file}, here or in {folder}")


def search_path(file: Path) -> list[Path]:
    """Where files that `file` includes may lie: its folder, the folder above, the shipped ones."""
    folder = file.resolve().parent
    return list(dict.fromkeys([folder, folder.parent, shipped()]))


def included_file(name: str, folders: Sequence[Path], by: str) -> Path:
    """What `include 'NAME'` means in the file `by`.

    Raises:
        FileNotFoundError: none of the folders has it.
    """
    for folder in dict.fromkeys(folders):
        if (folder / name).is_file():
            return folder / name
    places = ", ".join(map(str, dict.fromkeys(folders)))
    raise FileNotFoundError(f"{by} includes {name!r}, which is in none of {places}")


def module_beside(name: str, folder: Path) -> ModuleType:
    """Import a module by name; `folder` comes first, as a script's own folder does.

    Raises:
        ImportError: there is no such module, it fails, or another of its name is imported already.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        module = import_module(name)
    except Exception as error:  # whatever an author's module does
        raise ImportError(f"cannot import {name} ({type(error).__name__}: {error})") from error
    own = folder / f"{name.replace('.', '/')}.py"
    if own.is_file() and Path(getattr(module, "__file__", None) or "").resolve() != own.resolve():
        raise ImportError(
            f"{own} is hidden by {getattr(module, '__file__', name)}, which has the same name: "
            "rename it"
        )
    return module


def own_names(module: ModuleType) -> Mapping[str, Callable[..., object]]:
    """What a module defines under public names, each as something to call.

    Classes and functions stand for themselves; any other object that the module's own classes or
    decorators made is given by a call without arguments.
    """
    found: dict[str, Callable[..., object]] = {}
    for name, thing in vars(module).items():
        if name.startswith("_") or inspect.ismodule(thing):
            continue
        if inspect.isclass(thing) or inspect.isroutine(thing):
            if thing.__module__ == module.__name__:
                found[name] = thing
        elif type(thing).__module__.partition(".")[0] in (syntrans_l2l.__name__, module.__name__):
            found[name] = partial(_newest, module.__name__, name)
    return found


def _newest(module: str, name: str) -> object:
    """What the name stands for now: a notebook may import its module anew."""
    found: object = getattr(sys.modules[module], name)
    return found
