"""YAML and CSV as people write them: limits before anything grows, and no key or column twice."""

import csv
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pam.errors import ConfigError, DataError

MAX_BYTES = 2**20
MAX_DEPTH = 32
MAX_VALUES = 10_000
"""Of a YAML file, every alias counted as what it stands for."""

UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Letters that would move the cursor of a terminal, turn the writing round, or that are none."""

_SHOWN = 60
_MOST_BITS = 64
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


def decode(content: bytes, where: str) -> str:
    """Return the text of a UTF-8 file, without the byte order mark that some editors put first.

    Raises:
        DataError: if it is no UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{where} is not UTF-8 text: {error.reason} in line {line}; save it as UTF-8"
        ) from error


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may occur once.

    Numbers are those of YAML 1.2: ``1e-3`` is one, ``010`` is not 8, and ``1:30`` is not 90.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._level = self._nodes = 0
        # Node -> how many values it stands for, and how deep they lie.
        self._extent: dict[yaml.Node, tuple[int, int]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Read one value; what is too much is refused before aliases and merge keys unfold."""
        event = self.peek_event()
        self._level += 1
        self._nodes += 1
        _check_extent(self._nodes, self._level, event.start_mark)
        node = super().compose_node(parent, index)
        self._level -= 1
        if node not in self._extent:
            if isinstance(event, yaml.AliasEvent):
                raise _fault("an alias stands for what it is itself a part of", event.start_mark)
            self._extent[node] = self._measured(node)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Read one value; names the line of what cannot be one."""
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # An explicit tag (`!!int`, `!!bool`, ...) on something else, or an impossible date.
            raise _fault("a value that YAML cannot read", node.start_mark) from None

    def _measured(self, node: yaml.Node) -> tuple[int, int]:
        inner = [] if isinstance(node, yaml.ScalarNode) else node.value
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            inner = [one for pair in inner for one in pair]
        extents = [self._extent[one] for one in inner]
        values = 1 + sum(values for values, _ in extents)
        depth = 1 + max((depth for _, depth in extents), default=0)
        _check_extent(values, depth, node.start_mark)
        return values, depth


class _Dumper(yaml.SafeDumper):
    """Quotes every text that ``_Loader`` would read as something else."""


_Loader.yaml_implicit_resolvers = {
    letter: [one for one in known if one[0] != "tag:yaml.org,2002:int"]
    for letter, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)$"),
    list("-+0123456789"),
)
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


def read_yaml(path: Path) -> Any:
    """Return the value in a YAML file; see :func:`parse_yaml`.

    Raises:
        ConfigError: as that, or if the file cannot be read or is no UTF-8.
    """
    try:
        return parse_yaml(decode(path.read_bytes(), str(path)), str(path))
    except DataError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error


def parse_yaml(text: str, source: str) -> Any:
    """Return the plain value in a YAML text: mappings with text as keys, lists, text, numbers.

    Args:
        text: of :data:`MAX_BYTES` letters, :data:`MAX_VALUES` values and :data:`MAX_DEPTH` levels
            at most.
        source: what errors call it.

    Raises:
        ConfigError: in one sentence with the line, if it is larger, no YAML, no plain value, or
            has a key twice.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{source} is larger than {MAX_BYTES // 2**20} MiB")
    try:
        value = yaml.load(text, _Loader)
        _check_plain(value, "")
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}{_yaml_problem(error)}") from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    return value


def dump_yaml(value: Any) -> str:
    """Return a plain value as YAML that :func:`parse_yaml` reads."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def csv_rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of its line and the fields of every row that is not empty.

    Raises:
        DataError: if a quote is wrong, or never closes on its line; names the line.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for fields in reader:
            if reader.line_num > line:
                raise DataError(f"{source}, line {line}: a quote does not close on its line")
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        reason = error
        if reader.line_num > line or "unexpected end" in str(error):
            reason = "a quote does not close on its line"
        raise DataError(f"{source}, line {line}: {reason}") from error


def shown(text: str) -> str:
    """Return a text in quotes, cut to what fits into a sentence."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."


def _check_extent(values: int, depth: int, mark: yaml.Mark) -> None:
    if values > MAX_VALUES:
        raise _fault(f"more than {MAX_VALUES:,} values, aliases written out", mark)
    if depth > MAX_DEPTH:
        raise _fault(f"nested more than {MAX_DEPTH} levels deep", mark)


def _check_keys(node: yaml.MappingNode) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in lines:
                raise _fault(
                    f"key {shown(key.value)} is already in line {lines[key.value]}", key.start_mark
                )
            lines[key.value] = key.start_mark.line + 1


def _fault(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not valid YAML"
    where = f", line {mark.line + 1}" if mark is not None else ""
    return " ".join(f"{where}: {problem}".split())


def _check_plain(value: Any, where: str) -> None:
    """Refuse what JSON cannot hold."""
    here = where or "the file"
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{here} has the key {key!r}, which must be in quotes")
            _check_plain(key, "the name of a key")
            _check_plain(item, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{here} is {value}, not a finite number")
    elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise ConfigError(f"{here} is a whole number of more than {_MOST_BITS} bits")
    elif isinstance(value, str) and _UNWRITABLE.search(value):
        raise ConfigError(f"{here} is {shown(value)}, which no file can be called")
    elif not isinstance(value, (str, int, float, bool, type(None))):
        raise ConfigError(f"{here} is a {type(value).__name__}, not text or a number")
