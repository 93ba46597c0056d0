"""Whether a plug-in keeps its contract: checks in plain words, on tiny networks and data.

For authors of plug-ins; ``pam conform`` is its command line.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pam.conformance.architectures import ARCHITECTURE, ArchitectureCase
from pam.conformance.checklist import Result
from pam.conformance.datasets import DATASET, DatasetCase
from pam.conformance.mergers import MERGER, MergerCase
from pam.conformance.pruners import PRUNER, PrunerCase
from pam.data import DATASETS
from pam.merging import MERGERS
from pam.networks import ARCHITECTURES
from pam.pruning import PRUNERS

__all__ = ["Result", "conform"]


def conform(
    kind: str,
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    root: str | None = None,
    strengths: Sequence[float] = (0.3, 0.6),
    input_shape: tuple[int, int, int] = (3, 32, 32),
) -> Iterator[Result]:
    """Yield the result of every check of a plug-in, as it comes.

    Args:
        kind: ``"merger"``, ``"pruner"``, ``"dataset"`` or ``"architecture"``.
        name: registered name.
        options: of the plug-in.
        root: folder of a data set's raw files.
        strengths: at which a pruner prunes, increasing.
        input_shape: (channels, height, width) that an architecture is built for.

    Raises:
        ConfigError: if there is no such plug-in.
    """
    given = dict(options or {})
    match kind:
        case "merger":
            MERGERS.get(name)
            return MERGER.run(MergerCase(name, given))
        case "pruner":
            PRUNERS.get(name)
            return PRUNER.run(PrunerCase(name, given, tuple(strengths)))
        case "dataset":
            DATASETS.get(name)
            return DATASET.run(DatasetCase(name, given, root))
        case "architecture":
            ARCHITECTURES.get(name)
            return ARCHITECTURE.run(ArchitectureCase(name, given, input_shape))
    raise ValueError(f"there is no kind of plug-in called '{kind}'")
