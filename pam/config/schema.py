"""The configuration's JSON schema, with which editors complete and check a profile."""

from typing import Any

from pydantic import TypeAdapter

from pam.config.explaining import option_text, options_of
from pam.config.model import Config
from pam.registry import ARCHITECTURE, DATASET, KINDS, MERGER, PRUNER, Kind
from pam.source.signatures import describe, registered, signature

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
