"""``pam init``: a folder to run the workflow in, without a checkout and without make."""

import os
import shlex
from argparse import Namespace
from pathlib import Path

from pam.cli.arguments import Parser
from pam.cli.config import schema_text
from pam.errors import ConfigError
from pam.files import write_text
from pam.names import hint
from pam.runs.paths import checkout, profile_file

PROFILE = "mine"
_DEFAULT = "workflow/profiles/default/profile.yaml"
_SNAKEFILE = """\
# The workflow of the package pam-bench, with the profiles in config/.
from pam.runs.paths import checkout


configfile: "config/config.yaml"


module pam_bench:
    snakefile:
        checkout() / "Snakefile"
    config:
        config


use rule * from pam_bench
"""
_CHOICE = """\
profile: mine # config/mine.yaml, or a profile that comes with PAM-bench
# data_root: data     # folder of raw data already on disk
# download: true      # fetch raw data that are missing
"""

HELP = "write a profile and a Snakefile into an empty folder"
EXAMPLE = "pam init my-study --profile quick"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("folder", nargs="?", default=".", help="empty or new; default: this one")
    parser.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help=f"the profile that config/{PROFILE}.yaml starts from; default: quick",
    )


def run(arguments: Namespace) -> int:
    """Write the files, and say how to start."""
    folder = Path(arguments.folder)
    source = checkout() / profile_file(arguments.profile)
    if not source.is_file():
        known = hint(arguments.profile, sorted(path.stem for path in source.parent.glob("*.yaml")))
        raise ConfigError(f"there is no profile '{arguments.profile}'; {known}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not an empty folder; name another, or a new one")
    profile = source.read_text(encoding="utf-8")
    files = {
        "workflow/Snakefile": _SNAKEFILE,
        _DEFAULT: (checkout() / _DEFAULT).read_text(encoding="utf-8"),
        "config/config.yaml": _CHOICE,
        "config/config.schema.json": schema_text(),
        f"config/{PROFILE}.yaml": profile.replace(
            "../schemas/config.schema.json", "config.schema.json"
        ),
    }
    for name, text in files.items():
        write_text(folder / name, text)
        print(folder / name)
    where = "" if folder.samefile(os.curdir) else f"cd {shlex.quote(str(folder))} && "
    print(
        f"\nChange config/{PROFILE}.yaml, then: {where}snakemake --cores all\n"
        f"Tables come to results/{PROFILE}/tables/, figures to figures/{PROFILE}/; for a page:\n"
        f"pam report --results results/{PROFILE}"
    )
    return 0
