"""The code behind somebody's row, for keys that follow it."""

import hashlib
import inspect
import sys
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from syntrans_l2l.cache import code_digest
from syntrans_l2l.methods.settings import plain


def source_digest(function: Callable[..., Any] | type) -> str:
    """Hash of the module that `function` stands in; of a notebook, of what it names there."""
    module = function.__module__
    if module != "__main__":
        return code_digest(module)
    sha = hashlib.sha256()
    for part in _notebook(function, set()):
        sha.update(part.encode())
    return sha.hexdigest()[:20]


def _notebook(function: Any, seen: set[str]) -> list[str]:
    """The source of `function`, and of functions, classes and values of `__main__` it names."""
    try:
        parts = [inspect.getsource(function)]
    except (OSError, TypeError):
        parts = [repr(function)]
    main = vars(sys.modules["__main__"])
    for name in sorted(_names(getattr(function, "__code__", None))):
        if name in seen or name not in main:
            continue
        seen.add(name)
        value = main[name]
        if isinstance(value, FunctionType | type):
            if value.__module__ == "__main__":
                parts += _notebook(value, seen)
        elif not inspect.ismodule(value):
            parts.append(f"{name} = {plain(value)!r}")
    return parts


def _names(code: CodeType | None) -> set[str]:
    """All that the code and the functions within it name."""
    if code is None:
        return set()
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return set(code.co_names).union(*map(_names, inner))
