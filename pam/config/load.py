"""From a YAML file to a checked configuration, with one sentence for whatever is wrong."""

import math
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pam.config.model import Config
from pam.errors import ConfigError
from pam.names import hint
from pam.source.options import problem

MAX_DEPTH = 32
MAX_VALUES = 100_000


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may occur once and ``1e-3`` is a number, as in YAML 1.2."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key '{key.value}' occurs twice", key.start_mark
                    )
                if isinstance(key, yaml.ScalarNode):
                    seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that ``_Loader`` would read as something else."""


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: one sentence that names the file, the line or key, and what is right.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(_missing(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    return parse_config(text, str(path))


def parse_config(text: str, source: str) -> Config:
    """Check the text of a configuration; ``source`` names it in errors.

    Raises:
        ConfigError: one sentence that names the source, the line or key, and what is right.
    """
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}{_yaml_problem(error)}") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        # An explicit tag (`!!int`, `!!bool`, ...) on something else, or an impossible date.
        raise ConfigError(f"{source} holds a value that YAML cannot read") from None
    if value is None:
        raise ConfigError(f"{source} is empty")
    try:
        _check_plain(value)
        return Config.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_one_line(problem(error))}") from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {_one_line(str(error))}") from None


def dump_config(config: Config) -> str:
    """Return a configuration as YAML, defaults included, as :func:`parse_config` reads it."""
    return yaml.dump(config.model_dump(), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _missing(path: Path) -> str:
    beside = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    return f"{path} does not exist" + (f"; {hint(path.name, beside)}" if beside else "")


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "not valid YAML"
    where = f", line {mark.line + 1}" if mark is not None else ""
    return _one_line(f"{where}: {said}")


def _check_plain(value: Any) -> None:
    """Refuse what JSON cannot hold, and files that aliases blow up, before anything walks them."""
    budget = MAX_VALUES

    def check(value: Any, where: str, depth: int) -> None:
        nonlocal budget
        budget -= 1
        if budget < 0 or depth > MAX_DEPTH:
            raise ConfigError(f"{where or 'the file'} is nested too deeply or is too large")
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ConfigError(
                        f"{where or 'the file'} has the key {key!r}, which must be in quotes"
                    )
                check(item, f"{where}.{key}" if where else key, depth + 1)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                check(item, f"{where}[{index}]", depth + 1)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{where} is {value}, not a finite number")
        elif not isinstance(value, (str, int, float, bool, type(None))):
            raise ConfigError(f"{where} is a {type(value).__name__}, not text or a number")

    check(value, "", 0)


def _one_line(text: str) -> str:
    return " ".join(text.split())
