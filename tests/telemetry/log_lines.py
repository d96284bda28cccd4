"""Every line that the service can log, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SERVICE = Path(__file__).parents[2] / "service"
_LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


class Line(NamedTuple):
    """One line: whose it is, how loud, what it says, and what it tells with it."""

    logger: str
    level: str
    event: str
    fields: tuple[str, ...]


def log_lines() -> list[Line]:
    """All of them, in order. Fails for one that cannot be read from the source: nobody could look it up either."""
    return sorted({line for file in SERVICE.rglob("*.py") for line in _lines_of(ast.parse(file.read_text()))})


def _lines_of(tree: ast.Module) -> Iterator[Line]:
    loggers = {_name(node.targets[0]): _logger(node.value) for node in tree.body if isinstance(node, ast.Assign)}
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in ast.walk(scope):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _LEVELS:
                logger = loggers.get(_name(call.func.value)) or _logger(call.func.value)
                if logger:
                    level = "error" if call.func.attr == "exception" else call.func.attr
                    fields = tuple(sorted({field for word in call.keywords for field in _fields(word, tree)}))
                    for event in _texts(call.args[0]):
                        yield Line(logger, level, event, fields)


def _logger(node: ast.expr) -> str:
    """The name in `structlog.get_logger("…")`."""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "structlog.get_logger"):
        return ""
    [name] = node.args
    assert isinstance(name, ast.Constant)
    return str(name.value)


def _texts(node: ast.expr) -> Iterator[str]:
    """What a line may say: a text, or one of two."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one)
            yield from _texts(other)
        case _:
            raise AssertionError(f"what is logged here? {ast.unparse(node)}")


def _fields(word: ast.keyword, tree: ast.Module) -> Iterator[str]:
    """The field, or those of the dictionary of that name in the same file."""
    if word.arg is not None:
        yield word.arg
        return
    name = _name(word.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if _name(target) == name:
                yield from (str(key.value) for key in node.value.keys if isinstance(key, ast.Constant))
                return
    raise AssertionError(f"which fields has **{name}?")


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""
