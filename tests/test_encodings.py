"""Text is UTF-8 in any locale: every reading and writing of text says so."""

import ast
from collections.abc import Iterator

import pytest
from common import REPOSITORY

_TEXT = ("read_text", "write_text")


def unsaid(source: str) -> Iterator[int]:
    """Lines that read or write text and name no encoding."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function, named = node.func, {word.arg for word in node.keywords}
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        owner = getattr(getattr(function, "value", None), "id", "")
        # Path.open and the open of Python take a mode; Image.open and tarfile.open are others
        opens = name == "open" and owner not in ("Image", "tarfile")
        texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
        binary = any(isinstance(text, str) and "b" in text for text in texts[-1:])
        positional = name == "read_text" and bool(node.args)
        if (name in _TEXT or (opens and not binary)) and not positional and "encoding" not in named:
            yield node.lineno


def test_every_text_names_its_encoding() -> None:
    files = [*(REPOSITORY / "syntrans_l2l").rglob("*.py"), *REPOSITORY.glob("benchmarks/**/*.py")]
    assert len(files) > 100
    silent = [
        f"{file.relative_to(REPOSITORY)}:{line}"
        for file in files
        for line in unsaid(file.read_text(encoding="utf-8"))
    ]
    assert not silent, silent


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("path.read_text()", True), ("path.write_text(text)", True), ("path.open()", True),
        ("open(path)", True), ("path.open('a')", True), ("path.open('rb')", False),
        ("open(path, 'wb')", False), ("path.read_text('utf-8-sig')", False),
        ("path.read_text(encoding='utf-8')", False), ("Image.open(path)", False),
    ],
)  # fmt: skip
def test_the_check_can_fail(call: str, found: bool) -> None:
    assert bool(list(unsaid(call))) == found
