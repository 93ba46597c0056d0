"""PAM-bench: merge single-task networks, prune them, and count what every task combination costs.

The public packages are imported on first use, so that reading a configuration or drawing a figure
never pays for importing torch.
"""

from importlib import import_module
from types import ModuleType

from pam.errors import CollapseError, ConfigError, DataError, DivergenceError, PamError, ShapeError

__version__ = "0.2.0"

_PACKAGES = (
    "config",
    "cost",
    "data",
    "deploy",
    "information",
    "merging",
    "networks",
    "pruning",
    "reporting",
    "training",
)

__all__ = [
    "CollapseError",
    "ConfigError",
    "DataError",
    "DivergenceError",
    "PamError",
    "ShapeError",
    "__version__",
    *_PACKAGES,
]


def __getattr__(name: str) -> ModuleType:
    if name in _PACKAGES:
        return import_module(f"pam.{name}")
    raise AttributeError(f"module 'pam' has no attribute '{name}'")
