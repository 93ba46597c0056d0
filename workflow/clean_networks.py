"""``make clean-networks``: throw away the networks of a finished run, which its tables do not need.

Records, rows, tables and figures stay. What reads a network later makes it again.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pam import PamError  # noqa: E402 - the package of this checkout, not an installed one
from pam.config import check_plugins, load_config  # noqa: E402
from pam.durable.locks import RUN_LOCK, hold  # noqa: E402
from pam.files import write_sealed  # noqa: E402
from pam.history.plan import Plan, shortened  # noqa: E402
from pam.runs.cells import all_cells  # noqa: E402
from pam.runs.paths import NETWORK, Paths, path_in_run, profile_file  # noqa: E402
from pam.runs.record import GIVEN_UP, read_given_up  # noqa: E402
from pam.runs.stages import STAGES  # noqa: E402


def main() -> int:
    """Throw away and return the exit code; 2: there is something left to run, or no such run."""
    parser = argparse.ArgumentParser(prog="make clean-networks", description=__doc__)
    parser.add_argument("--profile", required=True, help="name of a file in workflow/config/")
    profile = parser.parse_args().profile
    try:
        config, paths = load_config(profile_file(profile)), Paths(f"results/{profile}")
        check_plugins(config)
        # Held until this process ends.
        hold(RUN_LOCK)
        plan = Plan(config, paths)
        if plan.damaged:
            raise PamError("\nmake clean-networks: ".join(shortened(plan.damaged)))
        if plan.due:
            raise PamError(
                f"{len(plan.due)} jobs of profile {profile} would run, and may need its networks: "
                "finish it first (make reproduce)"
            )
        networks = {
            path_in_run(path, plan.paths.record(cell)): path
            for cell in all_cells(config)
            if STAGES[cell.stage].suffix == NETWORK
            for path in [Path(paths.artefact(cell))]
            if path.exists()
        }
        size = sum(path.stat().st_size for path in networks.values())
        names = sorted({*read_given_up(paths.results), *networks})
        # First what was done on purpose is noted: a network that is there counts as there.
        write_sealed(Path(paths.results) / GIVEN_UP, {"networks": names})
        for path in networks.values():
            path.unlink()
    except PamError as error:
        print(f"make clean-networks: {error}", file=sys.stderr)
        return 2
    print(f"Threw away {len(networks)} networks of profile {profile}: {size / 1e6:.1f} MB.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
