"""``python -m pam.cli``."""

import os
import sys

from pam.cli.warm import SOCKET

code = None
if SOCKET in os.environ:
    from pam.cli.warm.client import run

    code = run(sys.argv[1:])
if code is None:
    from pam.cli.main import main

    code = main()
sys.exit(code)
