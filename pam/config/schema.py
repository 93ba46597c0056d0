"""The configuration's JSON schema, for editors, and the explanation of single keys."""

import ast
import json
from typing import Any, get_args

from pydantic import BaseModel

from pam.config.model import Config
from pam.errors import ConfigError
from pam.names import hint
from pam.registry import KINDS
from pam.source.signatures import registered, signature


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, generated from the model."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def keys() -> dict[str, str]:
    """Return every key of the configuration, e.g. ``experiments.train.batch_size``, explained."""
    return dict(_keys_of(Config, ""))


def option_keys() -> dict[str, str]:
    """Return every option of every registered plug-in, explained.

    A key is ``experiments.merging.pam.alpha``: the section, the plug-in's name, the option.
    """
    found = {}
    for kind in KINDS:
        for name in registered(kind):
            for option in signature(kind, name).options.values():
                if option.name not in kind.given:
                    default = "Required." if option.default is None else _default(option.default)
                    meaning = option.meaning.replace("``", "`")
                    key = f"experiments.{kind.section}.{name}.{option.name}"
                    found[key] = f"{meaning} {default}".strip()
    return found


def explain(key: str) -> str:
    """Return what keys mean, their units and defaults, in one line each.

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
    for name, field in model.model_fields.items():
        text = str(field.description)
        if not field.is_required() and "Default:" not in text:
            default = field.default
            shown = default.model_dump() if isinstance(default, BaseModel) else default
            text += f" Default: {json.dumps(shown)}."
        found.append((prefix + name, text + (" Required." if field.is_required() else "")))
        for section in _sections(field.annotation):
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
