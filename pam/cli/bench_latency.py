"""``pam bench latency``: the networks of several mergers, timed in turn in one process."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from pam.errors import ConfigError
from pam.files import check_room
from pam.stages.device import set_up

if TYPE_CHECKING:
    from pam.cli.bench_networks import Contender
    from pam.cost import Timing


def run(arguments: Namespace) -> int:
    """Time the networks, print what was found, and write every timing to a CSV file."""
    if not arguments.results and not arguments.networks:
        raise ConfigError("nothing to time: name a run with --results, or files with --networks")
    if Path(arguments.out).suffix != ".csv":
        raise ConfigError(f"--out must end in .csv, not '{arguments.out}'")
    check_room(Path(arguments.out).parent)
    device = set_up(max(arguments.threads), arguments.device)
    from pam.cli.bench_rows import latency_rows, printed, write
    from pam.cost import usable_backends

    backends, notes = usable_backends(dict.fromkeys(arguments.backends), device)
    for note in notes:
        print(f"pam bench latency: {note}", file=sys.stderr)
    if not backends:
        raise ConfigError("no backend is left to time")
    contenders = _contenders(arguments)
    for contender in contenders:
        contender.network.to(device)
    timings = _timed(arguments, contenders, backends)
    rows = latency_rows(contenders, timings, device)
    write(arguments.out, rows)
    print(printed(rows))
    return 0


def _contenders(arguments: Namespace) -> "list[Contender]":
    """Return the networks that the arguments name.

    Raises:
        ConfigError: if none is left, or one is named twice.
    """
    from pam.cli.bench_networks import Choice, network_of_file, networks_of_run

    found: list[Contender] = []
    if arguments.results:
        choice = Choice(arguments.experiment, arguments.pruning, arguments.seed, arguments.delta)
        found, notes = networks_of_run(arguments.results, choice)
        for note in notes:
            print(f"pam bench latency: {note}", file=sys.stderr)
    found += [network_of_file(said) for said in arguments.networks]
    if not found:
        raise ConfigError(f"no merging of {arguments.results} is accurate enough to be timed")
    names = [contender.name for contender in found]
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise ConfigError(f"{twice[0]} is named twice")
    return found


def _timed(
    arguments: Namespace, contenders: "Sequence[Contender]", backends: Sequence[str]
) -> "list[Timing]":
    from pam.cost import latencies

    networks = {contender.name: contender.network for contender in contenders}
    batch_sizes, threads = (
        list(dict.fromkeys(numbers)) for numbers in (arguments.batch_sizes, arguments.threads)
    )
    each = [len(arguments.combinations or one.combinations()) for one in networks.values()]
    steps = len(batch_sizes) * len(threads) * (sum(each) * len(backends) + arguments.rounds)
    with tqdm(total=steps, desc="latency", disable=not sys.stderr.isatty()) as bar:
        return latencies(
            networks,
            combinations=arguments.combinations,
            backends=backends,
            batch_sizes=batch_sizes,
            threads=threads,
            rounds=arguments.rounds,
            warmup=arguments.warmup,
            progress=bar.update,
        )
