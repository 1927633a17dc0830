"""From configuration files to experiments. The only file of the library that imports gin."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from tokenize import TokenError
from types import ModuleType

from gin.config_parser import (
    BindingStatement,
    ConfigParser,
    ImportStatement,
    IncludeStatement,
    ParserDelegate,
)

import gin
from syntrans_l2l.datasets.base import Benchmark
from syntrans_l2l.experiment.experiment import Experiment
from syntrans_l2l.experiment.gin_files import (
    configuration_file,
    included_file,
    module_beside,
    own_names,
    search_path,
)
from syntrans_l2l.experiment.gin_names import NAMES, RENAMED
from syntrans_l2l.experiment.mining import Mining
from syntrans_l2l.training.fabric import FabricWorkers

for _configurable in NAMES:
    # registering, unlike decorating, leaves direct calls free of global configuration
    gin.external_configurable(_configurable, module="syntrans")


def load_experiment(file: Path, bindings: list[str]) -> Experiment:
    """The experiment that a gin file describes, with further bindings on top of it.

    Args:
        file: a path, or the short name of a shipped file. What it includes is looked for in its
            folder, the folder above and the shipped ones; modules that it imports in its folder.
        bindings: for instance "Experiment.episodes = 600".

    Raises:
        FileNotFoundError: the file, one that it includes, or one that it names is missing.
        ValueError: an unknown name, a missing binding or a value that does not fit.
    """
    with _parsed(file, bindings):
        experiment: Experiment = gin.get_configurable(Experiment)()
        if experiment.student is not None:
            experiment.student()
        for row in experiment.rows:  # their students are built later, and may read macros
            _ = row.encoder if isinstance(row.encoder, str) else row.encoder.name
        _check_taken(bindings)
    return experiment


def load_dataset(file: Path, bindings: list[str]) -> Benchmark:
    """The data set that a gin file binds, of an experiment or by itself; raises as above."""
    with _parsed(file, bindings):
        dataset: Benchmark = gin.query_parameter("Experiment.dataset").scoped_configurable_fn()
    return dataset


def load_mining(file: Path, bindings: list[str]) -> Mining:
    """The mining that a gin file describes; arguments and errors as for `load_experiment`."""
    with _parsed(file, bindings):
        mining: Mining = gin.get_configurable(Mining)()
        _check_taken(bindings)
    return mining


# what gin raises, and what constructors raise that were given something of another kind
_FAULTS = (SyntaxError, TokenError, TypeError, ValueError, RuntimeError, OSError, AttributeError,
           LookupError, ArithmeticError)  # fmt: skip


@contextmanager
def _parsed(file: Path, bindings: list[str]) -> Iterator[None]:
    """Parse `file`, and turn what goes wrong within into one line that names it."""
    file = configuration_file(file)
    gin.clear_config()
    try:
        parse_file(file, search_path(file))
        _parse("\n".join(bindings), None, Path.cwd(), search_path(file))
        gin.finalize()
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(_one_line(error)) from error
    except ImportError as error:
        raise ImportError(f"{file}: {_one_line(error)}") from error
    except _FAULTS as error:
        raise ValueError(f"{file}: {_one_line(error)}") from error


def parse_file(file: Path, folders: Sequence[Path]) -> None:
    """Parse a file and what it includes; `folders` are searched after the file's own.

    Raises:
        FileNotFoundError: an included file is missing.
        ImportError: a module cannot be imported.
        ValueError: an old or unknown name, or a value that does not fit.
    """
    _parse(file.read_text(encoding="utf-8"), str(file), file.resolve().parent, folders)


def _parse(text: str, name: str | None, folder: Path, folders: Sequence[Path]) -> None:
    """Parse a text whose includes and modules are found by us.

    gin's own reader would take the first folder of an included path for a Python package, and
    fails where a folder of that name is on sys.path. So the text goes to gin in the pieces
    between its includes, each at its own line numbers.
    """
    lines, done = text.splitlines(), 0
    for statement in ConfigParser(_named(text, name), _Names()):
        line = statement.location.line_num
        if isinstance(statement, IncludeStatement):
            gin.parse_config(_named("\n" * done + "\n".join(lines[done : line - 1]), name))
            included = included_file(statement.filename, [folder, *folders], name or "--set")
            parse_file(included, folders)
            done = line
        elif isinstance(statement, ImportStatement) and statement.module.split(".")[0] != "__gin__":
            _register_own(module_beside(statement.module, folder))
        elif isinstance(statement, BindingStatement):
            _refuse_old(f"{statement.selector}.{statement.arg_name}", f" in line {line} of {name}")
    gin.parse_config(_named("\n" * done + "\n".join(lines[done:]), name))


class _Names(ParserDelegate):  # type: ignore[misc]  # gin is untyped
    """Reads references without resolving them."""

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> None:
        _refuse_old(scoped_configurable_name.rpartition("/")[2])

    def macro(self, macro_name: str) -> None: ...


def _refuse_old(name: str, where: str = "") -> None:
    """Raise ValueError where a name, NAME or NAME.ARGUMENT, was renamed."""
    name = name.removeprefix("syntrans.")
    for old in (name, name.partition(".")[0]):
        if old in RENAMED:
            raise ValueError(f"{old} is called {RENAMED[old]} now{where}")


def _check_taken(bindings: list[str]) -> None:
    """Raise ValueError where a macro among `bindings` changes nothing: gin takes any name."""
    taken = _macros(operative_config())
    for macro in _macros("\n".join(bindings)):
        if macro not in taken:
            raise ValueError(
                f"{macro} changes nothing here: no setting in use reads %{macro}; read here: "
                f"{', '.join(taken) or 'none'}"
            )


def _macros(text: str) -> list[str]:
    """The names without a dot that a text sets."""
    statements = ConfigParser(StringIO(text), _Names())
    return [
        str(each.selector)
        for each in statements
        if isinstance(each, BindingStatement) and not each.arg_name
    ]


def _register_own(module: ModuleType) -> None:
    """What a module of the file's author defines, as NAME or MODULE.NAME."""
    for name, thing in own_names(module).items():
        try:
            gin.get_configurable(f"{module.__name__}.{name}")
        except ValueError:  # not registered yet, by its own decorator or by an earlier file
            gin.external_configurable(thing, name, module=module.__name__)


def _named(text: str, name: str | None) -> StringIO:
    """A text that gin's errors call by the name of its file."""
    stream = StringIO(text)
    if name is not None:
        stream.name = name
    return stream


def load_workers(devices: int, nodes: int) -> FabricWorkers:
    """Start the processes, by the strategy that the experiment loaded last binds.

    Raises:
        ImportError, ValueError: see `FabricWorkers`.
    """
    try:
        workers: FabricWorkers = gin.get_configurable(FabricWorkers)(devices=devices, nodes=nodes)
    except ValueError as error:
        raise ValueError(_one_line(error)) from error
    return workers


def operative_config() -> str:
    """Every value that the experiment took, as gin text."""
    return str(gin.operative_config_str())


def _one_line(error: Exception) -> str:
    """The message, without the address in memory that gin adds to the name of what failed."""
    return re.sub(r" \(<[^>]*>\)", "", " ".join(str(error).split()))
