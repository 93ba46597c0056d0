"""``make reproduce``: run the workflow, say what came of it, and where to look.

Safe to start again at any time, after a crash too: what is done stays, what is half done goes on
from its last checkpoint, and two runs never work in one folder.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import cluster  # noqa: E402 - beside this file
from children import Children  # noqa: E402 - beside this file
from progress import Progress  # noqa: E402 - beside this file

from pam import PamError  # noqa: E402 - the package of this checkout, not an installed one
from pam.cli.arguments import whole  # noqa: E402
from pam.config import check_plugins, load_config  # noqa: E402
from pam.durable.locks import RUN_LOCK, RUN_LOCK_HELD, hold, is_held  # noqa: E402
from pam.files import check_room  # noqa: E402
from pam.garbage import rare_collections  # noqa: E402
from pam.history.plan import Plan, shortened, with_finished_seeds  # noqa: E402
from pam.runs.paths import Paths, check_checkout, profile_file  # noqa: E402
from pam.runs.raw_data import check_folders  # noqa: E402
from pam.runs.record import OK  # noqa: E402
from pam.stages.failures import DATA_MISSING  # noqa: E402

if TYPE_CHECKING:
    from pam.reporting.run import Run

QUIET = ("--quiet", "host", "reason")
USER_ERROR = 2
SIGNALLED = 128
GOES_ON = "the same command goes on from there"
TEMPORARY = "pam-run-"
LOCK_PATIENCE_S = 5.0
"""The processes of a run that was killed just now may need a moment to be gone."""


@rare_collections()
def main() -> int:
    """Run and return the exit code.

    0: done. 1: a job failed. 2: bad input, in one sentence. 128 + n: stopped by signal n, or
    Snakemake was.
    """
    options = _parser().parse_args()
    # Snakemake would take its letters for more than a name if they stood in `--config`.
    os.environ["PAM_DATA"] = options.data
    paths = Paths(f"results/{options.profile}")
    started, began = time.monotonic(), time.time()
    try:
        check_checkout(str(ROOT))
        file = profile_file(options.profile)
        profile = load_config(file)
        check_plugins(profile)
        config = load_config(file, options.seeds)
        if options.seeds:
            config = with_finished_seeds(config, profile, paths, options.data)
            options.seeds = " ".join(map(str, config.seeds))
            print(f"Seeds asked for, and those finished before: {options.seeds}.")
        lock = None if options.dry_run else hold(RUN_LOCK, LOCK_PATIENCE_S)
        if lock is not None:
            _sweep()
        where = ["--cores", options.cores]
        if options.cluster:
            folders = cluster.profiles(options.cluster)
            os.environ.update(_ready_cluster(options, cluster.check_engine(folders)))
            where = [f"--profile={folder}" for folder in folders]
        plan = Plan(config, paths, data=options.data, retry_failed=options.retry_failed)
        if plan.damaged:
            # Jobs would refuse such a file too, but late.
            raise PamError("\nmake reproduce: ".join(shortened(plan.damaged)))
        if lock is None:
            return _show(plan, file, options.seeds)
        check_folders(config, options.data, _unprepared(plan))
        children = (cluster.Submitting if options.cluster else Children)(options.end_with)
        snakemake = preparing = _snakemake(options, where)
        if options.cluster and options.download:
            # Here is the way out to the internet, which the nodes of most clusters lack.
            preparing = _snakemake(options, ["--cores", "1"])
        if missing := _missing_data(plan):
            print(f"Trying again to prepare {', '.join(map(_experiment_of, missing))}.")
            _run(children, preparing, lock, "--force", *missing)
            if children.stopped_by:
                return _stopped(children.stopped_by)
            plan = Plan(config, paths, data=options.data, retry_failed=options.retry_failed)
        if not plan.due:
            said = f"Everything is up to date: profile {options.profile} has nothing left to run."
            return _report(options, said, is_new=False)
        for folder in ("results", "figures", "logs"):
            check_room(f"{folder}/{options.profile}")
    except PamError as error:
        print(f"make reproduce: {error}", file=sys.stderr)
        return USER_ERROR

    if preparing is not snakemake:
        _run(children, preparing, lock, "--until", "prepare")
        if children.stopped_by:
            return _stopped(children.stopped_by)
    again = _to_force(plan)
    forced, look = ["--forcerun", *again] if again else [], Progress(plan.due, paths).look
    done = _run(children, snakemake, lock, *forced, look=look)
    if children.stopped_by:
        return _stopped(children.stopped_by)
    if done < 0:
        killed = signal.Signals(-done).name
        print(f"make reproduce: Snakemake was ended by {killed}; {GOES_ON}", file=sys.stderr)
        return SIGNALLED - done
    if done:
        print(
            "make reproduce: some jobs failed; what succeeded is kept for the next run; the last: "
            f"{_last_words(options.profile, began)}",
            file=sys.stderr,
        )
        return 1
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    said = f"Profile {options.profile} is complete, after {minutes} min {seconds} s."
    return _report(options, said, is_new=True)


def _to_force(plan: Plan) -> list[str]:
    """Return the files that Snakemake has to make again whatever it thinks of them.

    It compares with its own notes, which a fresh clone lacks; records hold what counts. And while
    the CSV files are there, it misses no file that they were once made from.
    """
    is_complete = Path(plan.paths.manifest).exists()
    return [
        path
        for due in plan.due
        if is_complete or not due.is_new
        for path in plan.paths.outputs(due.cell)[-1:]
        if is_complete or Path(path).exists()
    ]


def _missing_data(plan: Plan) -> list[str]:
    """Return the records of data sets that could not be had.

    Those that still cannot be had leave the same files, and nothing after them runs again.
    """
    return [
        path
        for path, record in plan.records.items()
        if record.status == DATA_MISSING and record.provenance.rule == "prepare"
    ]


def _unprepared(plan: Plan) -> set[str]:
    """Return the experiments whose data are still to be prepared, now or once more."""
    due = {one.cell.experiment for one in plan.due if one.cell.stage == "prepare"}
    return due | set(map(_experiment_of, _missing_data(plan)))


def _experiment_of(record: str) -> str:
    return Path(record).parent.name


def _cores(word: str) -> str:
    return word if word == "all" else str(whole(1, "needs a whole number above 0, or all")(word))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make reproduce", description=__doc__)
    parser.add_argument("--profile", default="quick", help="name of a file in workflow/config/")
    parser.add_argument("--seeds", help="only these seeds of the profile, as '0 1'")
    parser.add_argument(
        "--data",
        type=os.path.expanduser,
        default="",
        help="folder of raw data already on disk",
    )
    parser.add_argument(
        "--cores", type=_cores, default="all", help="cores to use: a number, or all of them"
    )
    parser.add_argument("--download", action="store_true", help="fetch raw data that is missing")
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="only show the jobs, and an estimate of hours"
    )
    parser.add_argument(
        "--cluster", default="", help="hand jobs to Slurm or another engine: folders of profiles"
    )
    parser.add_argument(
        "--allow-dirty", action="store_true", help="on a cluster, run code that is not committed"
    )
    parser.add_argument(
        "--end-with", type=int, default=0, metavar="PID", help="stop when this parent is gone"
    )
    parser.add_argument("--strict", action="store_true", help="fail if any cell failed")
    parser.add_argument(
        "--retry-failed", action="store_true", help="run the cells that failed once more"
    )
    return parser


def _run(
    children: Children,
    snakemake: list[str],
    lock: int,
    *more: str,
    look: Callable[[], None] | None = None,
) -> int:
    """Run Snakemake under our run lock and return its exit code."""
    command = [*snakemake, *QUIET, *more]
    with temporary_folder() as folder:
        environment = os.environ | {RUN_LOCK_HELD: "1", "TMPDIR": folder}
        # We hold that lock, so a lock of Snakemake's own is one that a killed run left behind.
        if any(Path(".snakemake/locks").glob("*")):
            children.run([*snakemake, "--unlock"], env=environment, stdout=PIPE, stderr=PIPE)
        return children.run(command, look, env=environment, pass_fds=[lock]).returncode


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Yield a folder for what a run and its jobs leave for a moment."""
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, ignore_cleanup_errors=True) as folder:
        lock = hold(Path(folder) / "lock")
        try:
            yield folder
        finally:
            os.close(lock)
    # A job of a run that was killed just before may have held its folder a moment longer.
    _sweep()


def _sweep() -> None:
    """Remove temporary folders of killed runs, which nobody holds."""
    for left in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        if not is_held(left / "lock"):
            shutil.rmtree(left, ignore_errors=True)


def _stopped(number: int) -> int:
    print(f"make reproduce: stopped by {signal.Signals(number).name}; {GOES_ON}", file=sys.stderr)
    return SIGNALLED + number


def _show(plan: Plan, config: str, seeds: str | None) -> int:
    """Show jobs and hours of a configuration, and what of its jobs is still to run."""
    code = 0
    # The estimate loads all that trains, so it is not made of nothing.
    if plan.due:
        from pam.cli.main import main as pam

        code = pam(["plan", "--config", config, *(["--seeds", seeds] if seeds else [])])
    counts = Counter(due.cell.stage for due in plan.due)
    lines = [f"{stage}: {count}" for stage, count in counts.items()] or ["nothing"]
    print("\n### Still to run\n", *lines, sep="\n")
    return code


def _ready_cluster(options: argparse.Namespace, engine: str) -> dict[str, str]:
    """Check that jobs may be handed to an engine, and return what their environment must hold."""
    if not options.dry_run:
        if not options.allow_dirty:
            cluster.check_committed()
        if engine == cluster.SLURM:
            cluster.check_idle()
    return cluster.environment()


def _snakemake(options: argparse.Namespace, where: list[str]) -> list[str]:
    """Return the command; ``where`` are the arguments that say where its jobs run."""
    settings = [f"profile={options.profile}"]
    settings += [f"seeds={options.seeds}"] if options.seeds else []
    settings += ["download=true"] if options.download else []
    profiles = ["workflow/profiles/default"]
    on_ci = os.environ.get("CI") and not options.cluster
    profiles += ["workflow/profiles/ci"] if on_ci else []
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(ROOT / "Snakefile")),
        *(f"--profile={profile}" for profile in profiles),
        *where,
        *("--config", *settings),
    ]


def _report(options: argparse.Namespace, said: str, is_new: bool) -> int:
    """Say what came out, where the page is, what to do next; what failed, and why, stands last.

    What was lost as a whole stands before ``said``, how the run ended.
    """
    from pam.cli.main import main as pam
    from pam.reporting.pages.report import is_current
    from pam.reporting.run import Run
    from pam.reporting.verdict import verdicts

    results = Path("results") / options.profile
    run, page = Run(results), results / "report.html"
    lost = _lost(run)
    for experiment, reason in lost.items():
        print(f"Nothing of {experiment} was measured: {reason}")
    print(said)
    is_due = is_new or not is_current(page, results)
    if is_due and (failed := pam(["report", "--results", str(results)])):
        return failed
    if is_new:
        first, *others = verdicts(run) or [""]
        print(f"\n{first}" if first else "")
        if others:
            print(f"  and {len(others)} more such comparisons on the page")
        print(f"page     {page}\ntables   {results}/tables/, figures/{options.profile}/")
        print(f"next     make status PROFILE={options.profile}")
        print(f"         .venv/bin/pam trace {results}/measurements.csv")
    else:
        print(f"The page: {page}")
    failures = run.text_table("failures").to_dict("records")
    if failures:
        kinds = Counter(failure["status"] for failure in failures)
        counts = ", ".join(f"{count} {status}" for status, count in kinds.items())
        print(f"failed   {len(failures)} jobs ({counts}), all in {results}/failures.csv")
        print(f"         the first: {_cause(failures[0])}")
    return 1 if lost or (failures and options.strict) else 0


def _lost(run: "Run") -> dict[str, str]:
    """Return the experiments of which every cell failed, each with its first cause."""
    measured = {
        name
        for table in ("measurements", "relatedness")
        for name in run.text_rows(table, status=OK)["experiment"]
    }
    failures = run.text_table("failures").drop_duplicates("experiment").to_dict("records")
    return {
        failure["experiment"]: _cause(failure)
        for failure in failures
        if failure["experiment"] and failure["experiment"] not in measured
    }


def _cause(failure: Mapping[str, str]) -> str:
    return f"{failure['status']}: {failure['reason']} (log: {failure['log']})"


def _last_words(profile: str, since: float) -> str:
    """Return the last line of the newest log since a time that ends with an error, and its name."""
    logs = [path for path in Path("logs", profile).rglob("*.log") if path.stat().st_mtime >= since]
    for path in sorted(logs, key=lambda path: path.stat().st_mtime, reverse=True):
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines and "error" in lines[-1].lower():
            return f"{path}: {lines[-1]}"
    return f"see logs/{profile}/"


if __name__ == "__main__":
    sys.exit(main())
