"""The card of an exported file: what it is, how to run it, and where it comes from (Markdown)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml

from pam.files import file_hash
from pam.runs.machine import environment

_TEMPLATES = Path(__file__).parent / "templates"
_CELL = ("experiment", "dataset", "architecture", "task", "merging", "pruning", "strength", "seed")
_HASHES = {
    "network_sha256": "tensors of the source network",
    "data_hash": "data set",
    "config_hash": "configuration",
    "code_hash": "code that made the network",
}


def card_text(facts: Mapping[str, Any]) -> str:
    """Return the card; ``facts`` is what :func:`pam.deploy.exporting.export` knows of a file."""
    written: Path = facts["written"]
    source, machine = facts["source"], environment()
    origin = source.origin
    template = _templates().get_template("card.md")
    return template.render(
        **facts,
        bytes=written.stat().st_size,
        sha256=file_hash(written),
        cell={name: origin[name] for name in _CELL if origin.get(name) not in (None, "")},
        hashes={said: origin[name] for name, said in _HASHES.items() if origin.get(name)},
        config=_yaml(source.config) if source.config else None,
        machine=machine,
        date=datetime.now(UTC).date().isoformat(),
    )


def _yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, default_flow_style=None, width=100).strip()


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # A bar would end the cell of a table.
    environment.filters["cell"] = lambda value: str(value).replace("|", "\\|")
    return environment
