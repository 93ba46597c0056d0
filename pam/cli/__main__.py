"""``python -m pam.cli``."""

import sys

from pam.cli.main import main

sys.exit(main())
