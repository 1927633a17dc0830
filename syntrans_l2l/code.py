"""What code computes a thing: a hash that follows the imports, for cache keys and records."""

import ast
import hashlib
import inspect
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_OWN = __name__.partition(".")[0]
# of this package: what moves, counts, keeps or shows results and does not make them
_PLUMBING = tuple(
    f"{_OWN}.{name}"
    for name in (
        "atomic",
        "cache",
        "cli",
        "code",
        "digests",
        "experiment",
        "mapped_file",
        "places",
        "progress",
        "reporting",
    )
)
# lists of names; what a data set gives is known by its fingerprint
_DOORS = (_OWN, f"{_OWN}.datasets")
# of others: large and stable; records name their versions, and an update keeps finished stages
# fmt: off
_LIBRARIES = frozenset((
    "easyfsl", "filelock", "gin", "huggingface_hub", "learn2learn", "lightning",
    "lightning_fabric", "matplotlib", "numpy", "open_clip", "openai", "pandas", "PIL",
    "pyarrow", "pytorch_lightning", "ray", "safetensors", "scipy", "sentence_transformers",
    "sklearn", "timm", "tokenizers", "torch", "torchvision", "tqdm", "transformers",
))
# fmt: on
_PROCESS = uuid.uuid4().hex  # stands for code that has no source


def code_digest(*things: object) -> str:
    """Hash of the code of these things and of all that it imports.

    Imports are followed to every module with a source, other people's included, also where a
    function does the importing; comments, docstrings and imports for type checkers do not
    count. Not followed: the standard library; the modules above that keep or show results; the
    large libraries above. Of a module that is installed as a package of somebody else, name
    and version count. Not seen: modules whose names are computed when the program runs.

    Args:
        things: names of modules, or objects. Functions, classes and instances stand for the
            module that defines them; an instance also for what it holds.

    Raises:
        ModuleNotFoundError: a name has no source.
    """
    starts = sorted(_modules(things, set()))
    parts, waiting = dict[str, str](), list(starts)
    while waiting:
        name = waiting.pop()
        if name not in parts:
            parts[name], imported = _read(name, given=name in starts)
            waiting += imported
    listed = "\n".join(f"{name} {parts[name]}" for name in sorted(parts))
    return hashlib.sha256(listed.encode()).hexdigest()[:20]


def _modules(things: Iterable[object], seen: set[int]) -> set[str]:
    """The modules that say what things do, and what those do that they hold."""
    found = set()
    for thing in things:
        if id(thing) in seen or isinstance(thing, int | float | None):
            continue
        seen.add(id(thing))
        held: Iterable[object] = ()
        if isinstance(thing, str):
            found.add(thing)
        elif isinstance(thing, ModuleType):
            found.add(thing.__name__)
        elif isinstance(thing, Mapping):
            held = thing.values()
        elif isinstance(thing, list | tuple | set | frozenset):
            held = thing
        elif isinstance(thing, partial):
            held = (thing.func, thing.args, thing.keywords)
        elif inspect.isclass(thing) or inspect.isroutine(thing):
            home = inspect.unwrap(thing).__module__
            found |= set() if _skipped(home) else {home}
        elif _skipped(type(thing).__module__):
            held = getattr(thing, "_modules", {}).values()  # of a network
        else:
            found.add(type(thing).__module__)
            held = getattr(thing, "__dict__", {}).values()
        found |= _modules([each for each in held if not isinstance(each, str)], seen)
    return found


def _read(name: str, *, given: bool) -> tuple[str, Sequence[str]]:
    """What a module adds to the hash, and the modules that it imports.

    `given` are those asked for, which are read wherever they lie.
    """
    top = name.partition(".")[0]
    skipped = _skipped(name)
    if skipped and not given:
        return "", ()
    if name == "__main__":
        return _session()
    spec = _find(name)
    if spec is None:
        if name in sys.modules and given:
            return _PROCESS, ()
        if given:
            raise ModuleNotFoundError(f"no source for module {name}")
        return "absent", ()
    if spec.origin is None or not Path(spec.origin).is_file():  # a folder without __init__.py
        return "", ()
    if not given and (version := _version(top, Path(spec.origin))):
        return version, ()
    package, written = spec.submodule_search_locations is not None, Path(spec.origin).stat()
    return _parsed(name, spec.origin, written.st_mtime_ns, package=package)


def _skipped(name: str) -> bool:
    top = name.partition(".")[0]
    return (
        name in _DOORS
        or top in sys.stdlib_module_names
        or top in _LIBRARIES
        or any(name == each or name.startswith(f"{each}.") for each in _PLUMBING)
    ) and name != "__main__"


def _find(name: str) -> ModuleSpec | None:
    """Where a module lies; unlike importlib's own search, this one runs no code."""
    path: Sequence[str] | None = None
    spec, parts = None, name.split(".")
    for end in range(1, len(parts) + 1):
        try:
            spec = PathFinder.find_spec(".".join(parts[:end]), path)
        except (ImportError, ValueError):
            return None
        if spec is None:  # such as an editable install, which has a finder of its own
            spec = getattr(sys.modules.get(".".join(parts[:end])), "__spec__", None)
        if spec is None and end == len(parts):
            return None
        path = list((spec and spec.submodule_search_locations) or ())
    return spec


@cache
def _version(top: str, origin: Path) -> str:
    """Name and version of an installed package of somebody else; empty for plain source."""
    if top == _OWN or not {"site-packages", "dist-packages"} & set(origin.parts):
        return ""
    names = metadata.packages_distributions().get(top, [])
    return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(set(names)))


@cache
def _parsed(name: str, origin: str, written: int, *, package: bool) -> tuple[str, Sequence[str]]:
    content = Path(origin).read_bytes()
    if not origin.endswith(".py"):  # compiled: its bytes, and nothing is known of its imports
        return hashlib.sha256(content).hexdigest(), ()
    return _of_source(content, name, package=package)


def _session() -> tuple[str, Sequence[str]]:
    """The program that runs: its file, all inputs of a notebook, or else this process itself."""
    main = sys.modules["__main__"]
    if file := getattr(main, "__file__", None):
        return _of_source(Path(file).read_bytes(), "__main__", package=False)
    if inputs := getattr(main, "In", None):
        return hashlib.sha256("\n".join(map(str, inputs)).encode()).hexdigest(), ()
    return _PROCESS, ()


def _of_source(content: bytes, name: str, *, package: bool) -> tuple[str, Sequence[str]]:
    tree = _Bare().visit(ast.parse(content))
    here = name if package else name.rpartition(".")[0]
    imported = sorted({each for each in _imports(tree, here) if each and each != name})
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imported


class _Bare(ast.NodeTransformer):
    """Takes away docstrings and other bare constants, and what only type checkers read."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        name = node.test.attr if isinstance(node.test, ast.Attribute) else node.test
        name = name.id if isinstance(name, ast.Name) else name
        return node.orelse if name == "TYPE_CHECKING" else node


def _imports(tree: ast.AST, here: str) -> Iterator[str]:
    """Names of modules that a tree imports; some of them may be names within a module."""
    ours = set()  # what this package is called there
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
                if alias.name == _OWN:
                    ours.add(alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = here.split(".")[: len(here.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from _with_parents(base)
            for alias in node.names:
                yield _home(alias.name) if base == _OWN else _submodule(base, alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield _home(node.attr) if node.value.id in ours else ""


def _with_parents(name: str) -> Iterator[str]:
    """A module, and the packages above it, whose __init__.py runs too; ours compute nothing."""
    yield name
    if name.partition(".")[0] != _OWN:
        while name := name.rpartition(".")[0]:
            yield name


def _submodule(base: str, name: str) -> str:
    """`base.name` where that is a module, else nothing."""
    full = f"{base}.{name}"
    return full if not _skipped(full) and _find(full) is not None else ""


def _home(name: str) -> str:
    """The module behind a name that this package hands out, or a room of it."""
    full = f"{_OWN}.{name}"
    if _find(full) is not None:
        return full
    homes = getattr(sys.modules[_OWN], "_HOMES", {})
    return f"{_OWN}.{homes[name]}" if name in homes else ""
