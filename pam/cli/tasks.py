"""The tasks that an experiment names against those that its data set has."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pam.errors import ConfigError

if TYPE_CHECKING:
    from pam.data import MultitaskDataset


def check_tasks(tasks: Sequence[str], dataset: "MultitaskDataset", where: str | Path) -> None:
    """Check that a data set has exactly the tasks that the experiment names.

    Raises:
        ConfigError: if it has others, or another order.
    """
    if list(tasks) != list(dataset.tasks):
        raise ConfigError(
            f"the experiment names the tasks {', '.join(tasks)}, but the data set ({where}) "
            f"has {', '.join(dataset.tasks)}"
        )
