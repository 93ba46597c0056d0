"""What plug-ins are and which options they take, read from their source or from the function.

The source is enough for a configuration to be checked and explained, and for tables and figures to
name what they show: nothing is imported. The function itself is asked where it is called.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import Field, PydanticSchemaGenerationError, TypeAdapter

from pam import ranges
from pam.registry import Description, Kind, Registry
from pam.source.entry_points import plugin_modules, source_modules
from pam.source.modules import Module, Registration

# What a type hint may name besides constants of its own module; of other types nothing is known.
_TYPES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (bool, float, int, str, list, dict, tuple, Path)},
    **{"Iterable": Iterable, "Mapping": Mapping, "Sequence": Sequence, "Any": Any, "None": None},
    **{"Annotated": Annotated, "Literal": Literal, "Field": Field},
    **{name: getattr(ranges, name) for name in ranges.__all__},
}


class Option(NamedTuple):
    """One parameter of a plug-in.

    Attributes:
        name: its name.
        adapter: checks its values; None if nothing is known of its type.
        default: as Python writes it; None if it has to be given.
        meaning: what the docstring says of it; empty if nothing.
    """

    name: str
    adapter: TypeAdapter[Any] | None
    default: str | None
    meaning: str = ""

    @property
    def default_value(self) -> Any:
        """The default, if it is a literal; else None."""
        try:
            return ast.literal_eval(self.default or "None")
        except (ValueError, TypeError, SyntaxError):
            return None


class Signature(NamedTuple):
    """The parameters of a plug-in by name, and whether it takes any others as well."""

    options: dict[str, Option]
    is_open: bool

    def extended(self, other: "Signature") -> "Signature":
        """Return the signature with the parameters of a method that gets all others."""
        return Signature({**other.options, **self.options}, other.is_open)


@cache
def describe(kind: Kind, name: str) -> Description:
    """Return the description that is written where a plug-in is registered.

    Raises:
        ConfigError: if no module registers it, or with a fact that a description does not hold.
    """
    _, registration = _registration(kind, name)
    return Description.of(name, **_literals(registration.call))


@cache
def registered(kind: Kind) -> tuple[str, ...]:
    """Return the sorted names of all plug-ins of a kind."""
    return tuple(source_modules().names(kind.package))


@cache
def signature(kind: Kind, name: str) -> Signature:
    """Return the parameters of a registered plug-in.

    Returns:
        The parameters; anything goes if the plug-in is not a plain function.

    Raises:
        ConfigError: if no module registers it.
    """
    module, registration = _registration(kind, name)
    if not isinstance(registration.target, ast.FunctionDef):
        return Signature({}, is_open=True)
    own, other = signature_in_source(registration.target, module), describe(kind, name).options_of
    return own.extended(signature(kind, other)) if other else own


def signature_of(registry: Registry[Any], name: str) -> Signature:
    """Return the parameters of a registered plug-in, asked of the plug-in itself."""
    own, other = _signature_of_call(registry.get(name)), registry.describe(name).options_of
    return own.extended(signature_of(registry, other)) if other else own


@cache
def _signature_of_call(plugin: Callable[..., Any]) -> Signature:
    hints = get_type_hints(plugin, include_extras=True)
    parameters = inspect.signature(plugin).parameters.values()
    options = {
        one.name: Option(
            one.name,
            _adapter(hints.get(one.name)),
            None if one.default is one.empty else repr(one.default),
        )
        for one in parameters
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }
    return Signature(options, is_open=any(one.kind is one.VAR_KEYWORD for one in parameters))


def signature_in_source(function: ast.FunctionDef, module: Module | None = None) -> Signature:
    """Return the parameters of a function, whose type hints may name constants of its module."""
    meanings = _meanings(ast.get_docstring(function) or "")
    options = {
        one.arg: Option(
            one.arg,
            _adapter(_type_of(one.annotation, module)),
            None if default is None else ast.unparse(default),
            meanings.get(one.arg, ""),
        )
        for one, default in _parameters(function.args)
    }
    return Signature(options, is_open=function.args.kwarg is not None)


def _registration(kind: Kind, name: str) -> tuple[Module, Registration]:
    module = source_modules().by_name[min(plugin_modules(kind.package, name))]
    return module, module.registrations[kind.package, name]


def _literals(call: ast.Call) -> dict[str, Any]:
    """Return the keyword arguments of a call, but for those that are no literals."""
    facts = {}
    for keyword in call.keywords:
        try:
            facts[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError):
            continue
    return facts


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


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    if get_origin(hint) is Iterable:
        hint = Sequence[get_args(hint)]  # Of an iterable pydantic would check no item.
    try:
        return None if hint is None else TypeAdapter(hint)
    except PydanticSchemaGenerationError:
        return None  # A class of the plug-in's own, which only the plug-in can check.


def _type_of(node: ast.expr | None, module: Module | None) -> Any:
    """Return the type that a hint means, or None if it names something that is not known."""
    try:
        return None if node is None else _evaluate(node, module)
    except (LookupError, TypeError, ValueError, RecursionError):
        return None


def _evaluate(node: ast.expr, module: Module | None) -> Any:
    match node:
        case ast.Name(id=name) if name in _TYPES:
            return _TYPES[name]
        case ast.Name(id=name) if module is not None:
            constant = module.constant(name)
            if constant is not None:
                return _evaluate(constant, module)
            for one in module.imports:
                if one.bound_as == name and one.name is not None:
                    return _evaluate(ast.Name(one.name), source_modules().by_name[one.module])
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _evaluate(left, module) | _evaluate(right, module)
        case ast.Subscript(value=outer, slice=ast.Tuple(elts=elements)):
            return _evaluate(outer, module)[tuple(_evaluate(one, module) for one in elements)]
        case ast.Subscript(value=outer, slice=element):
            return _evaluate(outer, module)[_evaluate(element, module)]
        case ast.Call(func=function, args=arguments, keywords=keywords):
            given = {str(one.arg): _evaluate(one.value, module) for one in keywords}
            return _evaluate(function, module)(*(_evaluate(a, module) for a in arguments), **given)
    return ast.literal_eval(node)
