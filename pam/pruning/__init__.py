"""Pruning: from a multitask network to physically smaller ones."""

from pam.pruning import taylor, taylor_readers, vibnet, vibnet_readers  # noqa: F401 - their import registers them
from pam.pruning.path import CostPath, Ladder
from pam.pruning.progressive import prune, prune_progressively
from pam.pruning.registry import PRUNERS, Pruned, Pruner, curve_rows, register
from pam.pruning.scored import prune_by_score
from pam.pruning.units import Key, PerUnit, connected, remove, scale, spared_groups, unit_keys

__all__ = [
    "PRUNERS",
    "CostPath",
    "Key",
    "Ladder",
    "PerUnit",
    "Pruned",
    "Pruner",
    "connected",
    "curve_rows",
    "prune",
    "prune_by_score",
    "prune_progressively",
    "register",
    "remove",
    "scale",
    "spared_groups",
    "unit_keys",
]
