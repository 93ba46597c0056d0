"""From a YAML file to a checked configuration, with one sentence for whatever is wrong."""

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pam.config.model import Config
from pam.errors import ConfigError
from pam.names import hint
from pam.source.options import problem
from pam.text_files import dump_yaml, parse_yaml, read_yaml


def load_config(path: str | Path, seeds: str | None = None) -> Config:
    """Read and check a configuration file.

    Args:
        path: the file.
        seeds: those of its seeds that are meant, as ``0 1`` or ``0,1``; all for None.

    Raises:
        ConfigError: one sentence that names the file, the line or key, and what is right.
    """
    path = Path(path)
    if not os.path.exists(path):  # Of whatever length, unlike Path.exists.
        raise ConfigError(_missing(path))
    config = _checked(read_yaml(path), str(path))
    return config if seeds is None else config.of_seeds(_parse_seeds(seeds))


def _parse_seeds(text: str) -> list[int]:
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() for word in words):
        raise ConfigError(f"seeds are whole numbers with spaces between, as '0 1', not '{text}'")
    return [int(word) for word in words]


def parse_config(text: str, source: str) -> Config:
    """Check the text of a configuration; ``source`` names it in errors.

    Raises:
        ConfigError: one sentence that names the source, the line or key, and what is right.
    """
    return _checked(parse_yaml(text, source), source)


def dump_config(config: Config) -> str:
    """Return a configuration as YAML, defaults included, as :func:`parse_config` reads it."""
    return dump_yaml(config.model_dump())


def _checked(value: Any, source: str) -> Config:
    if value is None:
        raise ConfigError(f"{source} is empty")
    try:
        return Config.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{source}: {' '.join(problem(error).split())}") from None


def _missing(path: Path) -> str:
    beside = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    return f"{path} does not exist" + (f"; {hint(path.name, beside)}" if beside else "")
