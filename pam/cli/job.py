"""What every computing command does around its work: set up, time, and leave a record."""

import platform
import resource
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pam.cli.device import set_up
from pam.cli.failures import Failure
from pam.cli.origin import Origin, command_line, content_hashes, path_in_run
from pam.cli.rows import Rows, without_nan
from pam.config import Config, Experiment, load_config
from pam.config.options import check_experiment
from pam.errors import ConfigError
from pam.files import write_json
from pam.names import check_known
from pam.provenance import code_hash, config_hash, environment, rows_hash
from pam.seeds import derive_seed

CELL_FAILED = 1


@dataclass(frozen=True)
class Job:
    """One cell's job, set up to compute.

    Attributes:
        rule: name of the command.
        config: the checked configuration.
        axes: experiment, dataset, architecture and, as far as the job has them, task, merging,
            pruning and seed.
        device: ``"cpu"`` or ``"cuda"``.
        strict: whether a failed cell fails the command.
        record: where the record goes.
        log: file that the workflow keeps of what the job says; empty if run by hand.
        command: the command line.
        environment: machine, packages and state of the sources when the job started.
        started: when, UTC, ISO 8601.
        clock: ``time.perf_counter()`` at the start, in seconds.
    """

    rule: str
    config: Config
    axes: dict[str, Any]
    device: str
    strict: bool
    record: Path
    log: str
    command: str
    environment: dict[str, Any]
    started: str
    clock: float

    @classmethod
    def begin(cls, rule: str, arguments: Namespace) -> "Job":
        """Check the names that the arguments give, and set torch up.

        Raises:
            ConfigError: if the configuration is invalid or has no such cell.
        """
        started, clock = _now(), time.perf_counter()
        config = load_config(arguments.config)
        axes = _axes(config, arguments, rule)
        check_experiment(config, arguments.experiment)
        # Data are prepared where there may be no GPU.
        device = set_up(config.threads, "cpu" if rule == "prepare" else config.device)
        return cls(
            rule=rule,
            config=config,
            axes=axes,
            device=device,
            strict=arguments.strict,
            record=Path(arguments.record),
            log=arguments.log,
            command=command_line(arguments.words),
            # Now, not at the end: sources may change while the job runs.
            environment=environment(device),
            started=started,
            clock=clock,
        )

    @property
    def experiment(self) -> Experiment:
        """The experiment of the cell."""
        return self.config.experiment(self.axes["experiment"])

    def key(self, part: str) -> str:
        """Return the full key of a part of the cell's experiment, for errors."""
        return f"experiments.{self.axes['experiment']}.{part}"

    def seed(self, purpose: str, *axes: str) -> int:
        """Return a seed that depends on data set, architecture, the cell's seed, and ``axes``."""
        cell = (self.axes["dataset"], self.axes["architecture"], *axes, self.axes["seed"])
        return derive_seed(purpose, *cell)

    def code(self, method: str | None = None) -> str:
        """Return the hash of the code that the job runs; ``method`` is its plug-in, if any."""
        return code_hash(
            self.rule,
            method=method,
            architecture=self.axes.get("architecture"),
            dataset=self.axes["dataset"],
        )

    def code_up_to_here(self, methods: Mapping[str, str | None]) -> str:
        """Return one hash of the code of every stage from training to this one.

        Args:
            methods: stage -> its plug-in, if any; this job's own stage is one of them.
        """
        architecture = self.axes["architecture"]
        return config_hash(
            {
                stage: code_hash(stage, method=method, architecture=architecture)
                for stage, method in methods.items()
            }
        )

    def origin(self, config: Mapping[str, Any], code: str, data: str = "") -> Origin:
        """Return what decides the job's result: its cell, and the slice and hashes given."""
        return Origin({**self.axes, "rule": self.rule}, config, code, data)

    def finish(
        self,
        origin: Origin,
        *,
        parents: Sequence[str | Path] = (),
        outputs: Sequence[str | Path] = (),
        rows: Rows | None = None,
        failure: Failure | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> int:
        """Write the record and return the exit code.

        Args:
            origin: what decides the result.
            parents: files that were read: the description of the data set, and networks.
            outputs: files of tensors that were written.
            rows: CSV name -> rows.
            failure: why the cell failed, if it did.
            facts: seeds and whatever else is worth knowing, JSON-able.
        """
        made = without_nan({**(rows or {}), "resources": [self._resources()]})
        own = {path_in_run(self.record, self.record): rows_hash(made)}
        record = {
            "status": failure.status if failure else "ok",
            "reason": failure.reason if failure else "",
            "rows": made,
            "provenance": without_nan(
                {
                    **origin.label,
                    "config": origin.config,
                    "artefacts": content_hashes(outputs, self.record) | own,
                    "parents": content_hashes(parents, self.record),
                    "seeds": {},
                    "threads": self.config.threads,
                    "device": self.device,
                    "command": self.command,
                    "log": self.log,
                    "started": self.started,
                    "ended": _now(),
                    "environment": self.environment,
                    **(facts or {}),
                }
            ),
        }
        write_json(self.record, record)
        if failure:
            print(f"pam {self.rule}: {failure.status}: {failure.reason}", file=sys.stderr)
        return CELL_FAILED if failure and self.strict else 0

    def _resources(self) -> dict[str, Any]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        # Linux counts kibibytes, macOS bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        names = ("experiment", "task", "merging", "pruning", "seed")
        return {
            "rule": self.rule,
            **{name: self.axes.get(name, "") for name in names},
            "wall_s": time.perf_counter() - self.clock,
            "cpu_s": used.ru_utime + used.ru_stime,
            "peak_memory_mb": used.ru_maxrss * unit / 1e6,
            "device": self.device,
            "host": platform.node(),
        }


def _axes(config: Config, arguments: Namespace, rule: str) -> dict[str, Any]:
    """Return the axes of a cell, each checked against the configuration."""
    given = vars(arguments)
    experiment = config.experiment(arguments.experiment)
    axes = {"experiment": arguments.experiment, "dataset": experiment.dataset}
    if rule == "prepare":
        return axes
    axes["architecture"] = experiment.architecture
    for axis, known in (
        ("task", experiment.tasks),
        ("merging", experiment.relatedness if rule == "relate" else experiment.merging),
        ("pruning", experiment.pruning),
    ):
        if axis in given:
            check_known(axis, given[axis], known)
            axes[axis] = given[axis]
    if arguments.seed not in config.seeds:
        seeds = ", ".join(map(str, config.seeds))
        raise ConfigError(f"seed {arguments.seed} is not in {arguments.config}; its seeds: {seeds}")
    return axes | {"seed": arguments.seed}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
