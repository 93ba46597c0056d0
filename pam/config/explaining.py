"""What keys and options mean: in one line each, and as JSON schema for editors."""

import ast
import json
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter

from pam.config.profile import Config
from pam.errors import ConfigError
from pam.names import hint
from pam.registry import ARCHITECTURE, DATASET, KINDS, MERGER, PRUNER, Kind
from pam.source.signatures import Option, describe, registered, signature


def keys(model: type[BaseModel] = Config, prefix: str = "") -> dict[str, str]:
    """Return every key of the configuration, e.g. ``experiments.train.batch_size``, explained.

    Args:
        model: a section of the configuration, for its keys alone.
        prefix: what leads their names.
    """
    found = {}
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
        found[prefix + name] = text + (" Required." if field.is_required() else "")
        for section in sections:
            found |= keys(section, f"{prefix}{name}.")
    return found


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


_REF = "#/$defs/"
_SECTIONS = ((DATASET, "dataset"), (ARCHITECTURE, "architecture"))
_ROWS = (("merging", MERGER), ("relatedness", MERGER), ("pruning", PRUNER))
_MODELS = {MERGER: "Merging", PRUNER: "Pruning"}


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration.

    Keys come from the model; names and options of data sets, architectures and methods come from
    where these are registered, in packages with plug-ins that are installed as well.
    """
    schema = Config.model_json_schema()
    definitions = schema["$defs"]
    options, shared = _options()
    definitions.update(shared)
    experiment = definitions["Experiment"]
    for kind in KINDS:
        for name in registered(kind):
            row = definitions[_MODELS[kind]] if kind in _MODELS else {}
            definitions[f"{kind.section}.{name}"] = _plugin(kind, name, row, options)
    for kind, key in _SECTIONS:
        experiment["properties"][key]["enum"] = list(registered(kind))
    experiment["allOf"] = [
        _when(key, name, _given(kind, name)) for kind, key in _SECTIONS for name in registered(kind)
    ]
    for kind, model in _MODELS.items():
        method = definitions[model]["properties"]["method"]
        definitions[f"{kind.section}.*"] = _named(kind, method)
    for section, kind in _ROWS:
        rows = experiment["properties"][section]
        pattern = next(iter(rows.pop("patternProperties")))
        rows |= {"propertyNames": {"pattern": pattern}, **_rows(kind)}
    for model in _MODELS.values():
        del definitions[model]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _named(kind: Kind, method: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a row whose method is named by its key ``method``."""
    names = list(registered(kind))
    return {
        "type": "object",
        "properties": {"method": {**method, "enum": names}},
        "required": ["method"],
        "allOf": [_when("method", name, _ref(f"{kind.section}.{name}")) for name in names],
    }


def _rows(kind: Kind) -> dict[str, Any]:
    """Return which rows a section may have; a row named as a method may be one of another."""
    named = _ref(f"{kind.section}.*")
    properties = {
        name: {
            "if": {"required": ["method"]},
            "then": named,
            "else": _ref(f"{kind.section}.{name}"),
        }
        for name in registered(kind)
    }
    return {"properties": properties, "additionalProperties": named}


def _options() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return ``merging.pam.alpha`` -> schema, and the definitions that schemas refer to."""
    adapters = [
        (f"{kind.section}.{name}.{option.name}", "validation", option.adapter)
        for kind in KINDS
        for name in registered(kind)
        for option in options_of(kind, name)
        if option.adapter is not None
    ]
    schemas, shared = TypeAdapter.json_schemas(adapters, ref_template=f"{_REF}{{model}}")
    return {key: schema for (key, _), schema in schemas.items()}, shared.get("$defs", {})


def _plugin(kind: Kind, name: str, row: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the options of a plug-in, the keys of its row included."""
    about, taken = describe(kind, name), options_of(kind, name)
    of_row = row.get("properties", {})
    known = dict(of_row)
    for option in taken:
        known[option.name] = {
            **options.get(f"{kind.section}.{name}.{option.name}", {}),
            "description": option_text(option),
        }
    # What the row has as well, the model asks for.
    needed = [one.name for one in taken if one.default is None and one.name not in of_row]
    return {
        "type": "object",
        "description": f"{about.title}{about.paper and f' ({about.paper})'}",
        "properties": known,
        "required": [*row.get("required", ()), *needed],
        "additionalProperties": signature(kind, name).is_open,
    }


def _given(kind: Kind, name: str) -> dict[str, Any]:
    """Return what an experiment with this data set or architecture looks like."""
    needs = any(option.default is None for option in options_of(kind, name))
    fits = {"properties": {kind.section: _ref(f"{kind.section}.{name}")}}
    return {**fits, "required": [kind.section]} if needs else fits


def _when(key: str, value: str, then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {key: {"const": value}}, "required": [key]}, "then": then}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"{_REF}{name}"}
