"""Whether a plug-in keeps its contract: a test suite on tiny networks and data.

For authors of plug-ins. ``pytest --pyargs pam.conformance --merger mine`` runs it in any folder,
``pam conform --merger mine`` does the same with a short output.
"""

from collections.abc import Callable

SUITE = "pam.conformance"
KINDS = ("merger", "pruner", "dataset", "architecture")


def add_settings(add: Callable[..., object]) -> None:
    """Add the options that say how a plug-in is examined, to pytest or to a command."""
    word = {"nargs": "+", "default": [], "metavar": "KEY=VALUE"}
    add("--options", help="options of the plug-in, every value as in a configuration", **word)
    add("--root", metavar="FOLDER", help="raw files of a data set")
    number = {"nargs": "+", "type": float, "default": [0.3, 0.6], "metavar": "X"}
    text = "strengths at which a pruner prunes, increasing; default: 0.3 0.6"
    add("--strengths", help=text, **number)
    shape = {"nargs": 3, "type": int, "default": [3, 32, 32]}
    text = "images that an architecture is built for; default: 3 32 32"
    add("--input-shape", metavar=("CHANNELS", "HEIGHT", "WIDTH"), help=text, **shape)
