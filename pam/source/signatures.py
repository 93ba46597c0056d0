"""The options of plug-ins, read from their source: checked and explained without importing them."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pam.source.code import plugin_modules, source_modules

# What a type hint may name; of another one nothing is known here.
_TYPES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (bool, float, int, str, list, dict, tuple, Path)},
    **{"Mapping": Mapping, "Sequence": Sequence, "Any": Any, "None": None},
}


class Option(NamedTuple):
    """One parameter of a plug-in.

    Attributes:
        name: its name.
        hint: its type; None if the source does not tell.
        default: how the source writes it; None if it has to be given.
        meaning: what the docstring says of it; empty if nothing.
    """

    name: str
    hint: Any
    default: str | None
    meaning: str


class Signature(NamedTuple):
    """The parameters of a plug-in by name, and whether it takes any others as well."""

    options: dict[str, Option]
    is_open: bool


def signature(package: str, name: str) -> Signature:
    """Return the parameters of a registered plug-in.

    Args:
        package: where it is registered, e.g. ``pam.merging``.
        name: its registered name.

    Returns:
        The parameters; anything goes if the plug-in is not a plain function.

    Raises:
        ConfigError: if no module registers it.
    """
    for module in sorted(plugin_modules(package, name)):
        function = source_modules().by_name[module].registrations[package, name]
        if isinstance(function, ast.FunctionDef):
            return _signature_of(function)
    return Signature({}, is_open=True)


def _signature_of(function: ast.FunctionDef) -> Signature:
    meanings = _meanings(ast.get_docstring(function) or "")
    options = {
        one.arg: Option(
            name=one.arg,
            hint=_type_of(one.annotation),
            default=None if default is None else ast.unparse(default),
            meaning=meanings.get(one.arg, ""),
        )
        for one, default in _parameters(function.args)
    }
    return Signature(options, is_open=function.args.kwarg is not None)


def _parameters(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield every parameter that can be given by name, with its default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    missing: Sequence[None] = [None] * (len(positional) - len(arguments.defaults))
    yield from zip(positional, [*missing, *arguments.defaults], strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _meanings(docstring: str) -> dict[str, str]:
    """Return what ``Args:`` in a docstring says of every parameter, each in one line."""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", docstring, re.MULTILINE | re.DOTALL)
    entries = re.split(r"^ {4}(?=\S)", section.group(1) if section else "", flags=re.MULTILINE)
    pairs = (entry.partition(":") for entry in entries if ":" in entry)
    return {name.lstrip("*"): " ".join(text.split()) for name, _, text in pairs}


def _type_of(node: ast.expr | None) -> Any:
    """Return the type that a hint means, or None if it names something that is not built in."""
    try:
        return None if node is None else _evaluate(node)
    except (LookupError, TypeError):
        return None


def _evaluate(node: ast.expr) -> Any:
    match node:
        case ast.Name(id=name):
            return _TYPES[name]
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _evaluate(left) | _evaluate(right)
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Tuple(elts=elements)):
            return _TYPES[name][tuple(map(_evaluate, elements))]
        case ast.Subscript(value=ast.Name(id=name), slice=element):
            return _TYPES[name][_evaluate(element)]
    raise LookupError(ast.unparse(node))
