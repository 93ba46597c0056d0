"""``pam export``: the sub-network of task combinations as files that run elsewhere."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from pam.cli.exported import read_source
from pam.errors import ConfigError, DataError
from pam.stages.device import set_up

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork

ALL = "all"


def run(arguments: Namespace) -> int:
    """Write and check the files, each with its card, and print their names."""
    set_up(arguments.threads, "cpu")
    from pam.data.store import data_hash, load_dataset
    from pam.deploy.exporting import export

    source = read_source(arguments.network, arguments.strength)
    combinations = _combinations(source.network, arguments.combination)
    _check_out(arguments.out, arguments.format, len(combinations))
    made_with = source.origin.get("data_hash")
    if made_with and made_with != data_hash(arguments.data):
        raise DataError(f"{arguments.network} was made with other data than {arguments.data} holds")
    files = export(
        source,
        load_dataset(arguments.data),
        combinations,
        arguments.format,
        arguments.out,
        rounds=arguments.rounds,
        threads=arguments.threads,
    )
    silent = len(combinations) == 1 or not sys.stderr.isatty()
    for made in tqdm(files, "export", len(combinations), unit="file", disable=silent):
        tqdm.write(f"{made.path}: within {made.difference:.1e} of the network; see {made.card}")
    return 0


def _combinations(network: "GroupedNetwork", asked: str) -> list[tuple[str, ...]]:
    from pam.groups import parse_combination

    if asked == ALL and ALL not in network.tasks:
        return network.combinations()
    return [parse_combination(asked, list(network.tasks))]


def _check_out(out: str, format: str, files: int) -> None:
    """Refuse a file of another format, or one file for several combinations."""
    from pam.deploy import FORMATS

    suffix = Path(out).suffix
    if suffix in FORMATS[format] and files > 1:
        raise ConfigError(f"--out {out} is one file, but --combination {ALL} makes {files}")
    for other, suffixes in FORMATS.items():
        if other != format and suffix in suffixes:
            raise ConfigError(f"--out {out} ends as files of {other}, but --format is {format}")
