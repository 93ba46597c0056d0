"""What the keys of a configuration and the options of methods mean, in one line each."""

import ast
import json
from typing import Any, get_args

from pydantic import BaseModel

from pam.config.model import Config
from pam.errors import ConfigError
from pam.names import hint
from pam.registry import KINDS, Kind
from pam.source.signatures import Option, registered, signature


def keys() -> dict[str, str]:
    """Return every key of the configuration, e.g. ``experiments.train.batch_size``, explained."""
    return dict(_keys_of(Config, ""))


def options_of(kind: Kind, name: str) -> list[Option]:
    """Return the options that a configuration may give a registered plug-in.

    Raises:
        ConfigError: if no module registers it.
    """
    options = signature(kind, name).options.values()
    return [option for option in options if option.name not in kind.given]


def option_keys() -> dict[str, str]:
    """Return every option of every registered plug-in, explained.

    A key is ``experiments.merging.pam.alpha``: the section, the plug-in's name, the option.
    """
    return {
        f"experiments.{kind.section}.{name}.{option.name}": option_text(option)
        for kind in KINDS
        for name in registered(kind)
        for option in options_of(kind, name)
    }


def option_text(option: Option) -> str:
    """Return type and range, meaning and default of an option in one line."""
    default = "Required." if option.default is None else _default(option.default)
    meaning = option.meaning.replace("``", "`")
    schema = None if option.adapter is None else option.adapter.json_schema()
    known = "" if schema is None else f"{_values(schema, schema.get('$defs', {}))}."
    return " ".join(filter(None, (known, meaning[:1].upper() + meaning[1:], default)))


def explain(key: str) -> str:
    """Return what keys mean, their types, ranges, units and defaults, in one line each.

    Args:
        key: a full key (``experiments.latency.rounds``), as an error names it too
            (``experiments.mine.latency.rounds``), or its last parts (``rounds``); the key of an
            option names its method (``merging.pam.alpha``). Every key if empty.

    Raises:
        ConfigError: if there is no such key.
    """
    known = {**keys(), **option_keys()}
    section, _, rest = key.partition(".")
    without_name = f"{section}.{rest.partition('.')[2]}"
    wanted = next((one for one in (key, without_name) if one in known), None)
    found = [wanted] if wanted else [n for n in known if f".{n}".endswith(f".{key}") or not key]
    if not found:
        parts = dict.fromkeys(part for name in known for part in (name, name.rsplit(".", 1)[-1]))
        raise ConfigError(f"unknown key '{key}'; {hint(key, parts)}")
    return "\n".join(f"{name}: {known[name]}" for name in found)


def _keys_of(model: type[BaseModel], prefix: str) -> list[tuple[str, str]]:
    found = []
    schema = model.model_json_schema()
    for name, field in model.model_fields.items():
        text = str(field.description)
        sections = _sections(field.annotation)
        if not sections:
            values = {**schema["properties"][name], "description": ""}
            text = f"{_values(values, schema.get('$defs', {}))}. {text}"
        if not field.is_required() and "Default:" not in text:
            default = field.default
            shown = default.model_dump() if isinstance(default, BaseModel) else default
            text += f" Default: {json.dumps(shown)}."
        found.append((prefix + name, text + (" Required." if field.is_required() else "")))
        for section in sections:
            found += _keys_of(section, f"{prefix}{name}.")
    return found


def _sections(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections(part)]


def _default(source: str) -> str:
    """Return how a configuration would write a default: JSON instead of Python."""
    try:
        return f"Default: {json.dumps(ast.literal_eval(source))}."
    except (ValueError, TypeError):
        return f"Default: {source}."


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Say which values a JSON schema lets pass."""
    words = _words(schema, definitions)
    return words[:1].upper() + words[1:]


def _words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    match schema:
        case {"$ref": ref}:
            return _words(definitions[ref.rpartition("/")[2]], definitions)
        case {"anyOf": parts}:
            return ", or ".join(dict.fromkeys(_words(part, definitions) for part in parts))
        case {"const": value}:
            return json.dumps(value)
        case {"enum": values}:
            return " or ".join(map(json.dumps, values))
        case {"type": "array", "prefixItems": items}:
            return f"list of {len(items)}, each {_words(items[0], definitions)}"
        case {"type": "array", "items": item}:
            return f"list, each {_words(item, definitions)}"
        case {"type": "object", "properties": properties}:
            return f"mapping with {', '.join(properties)}"
        case {"type": "object", "additionalProperties": dict(value)}:
            return f"mapping to {_words(value, definitions)}"
        case {"type": "integer" | "number" | "string" as kind}:
            remark = f"({schema['description']})" if schema.get("description") else ""
            return " ".join(filter(None, (_NOUNS[kind], _range(schema), remark)))
        case {"type": kind}:
            return _NOUNS[kind]
    return "any value"


def _range(schema: dict[str, Any]) -> str:
    """Say the range of a number; empty if there is none."""
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if {low, above} != {None} and {high, below} != {None}:
        left = f"[{low:g}" if low is not None else f"({above:g}"
        return f"in {left}, {high:g}]" if high is not None else f"in {left}, {below:g})"
    bounds = {">=": low, ">": above, "<=": high, "<": below}
    return " ".join(f"{sign} {bound:g}" for sign, bound in bounds.items() if bound is not None)


_NOUNS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
    "array": "list",
}
