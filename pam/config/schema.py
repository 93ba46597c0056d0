"""The configuration's JSON schema, for editors, and the explanation of single keys."""

import json
from typing import Any, get_args

from pydantic import BaseModel

from pam.config.model import Config
from pam.config.names import hint
from pam.errors import ConfigError


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, generated from the model."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def keys() -> dict[str, str]:
    """Return every key of the configuration, e.g. ``experiments.train.batch_size``, explained."""
    return dict(_keys_of(Config, ""))


def explain(key: str) -> str:
    """Return what a key means, its unit and its default, in one line.

    Args:
        key: a full key (``experiments.latency.rounds``) or its last part (``rounds``).

    Raises:
        ConfigError: if there is no such key.
    """
    known = keys()
    found = {name: text for name, text in known.items() if name == key}
    found = found or {n: text for n, text in known.items() if n.rsplit(".", 1)[-1] == key}
    if not found:
        parts = dict.fromkeys(part for name in known for part in (name, name.rsplit(".", 1)[-1]))
        raise ConfigError(f"unknown key '{key}'; {hint(key, parts)}")
    return "\n".join(f"{name}: {text}" for name, text in found.items())


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
