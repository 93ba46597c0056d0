"""Sub-networks as plain weights (safetensors) and the steps that compute with them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pam.deploy.about import About
from pam.deploy.model import Model
from pam.deploy.steps import Stepwise, steps_of
from pam.deploy.torch_runs import model_of
from pam.errors import DataError
from pam.files import META_KEY, read_tensors

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork

STEPS = "pam.steps"


def packer(
    network: "GroupedNetwork", tasks: Sequence[str]
) -> Callable[[Sequence[str], About], bytes]:
    """Return what makes the file of any combination of some tasks: (combination, about) -> bytes.

    The tensors are the ``state_dict`` of the sub-network, under the same names.
    """
    from safetensors.torch import save

    def pack(combination: Sequence[str], about: About) -> bytes:
        subnetwork = network.subnetwork(combination).eval()
        weights = {name: t.contiguous() for name, t in subnetwork.state_dict().items()}
        entries = about.entries() | {STEPS: steps_of(subnetwork)}
        return save(weights, {META_KEY: json.dumps(entries)})

    return pack


def open_file(path: Path, threads: int) -> Model:
    """Open a file of :func:`packer`; torch decides on the number of threads.

    Raises:
        DataError: if it is damaged, or was not written by this project.
    """
    weights, entries = read_tensors(path)
    about = About.of_entries(entries if isinstance(entries, dict) else {}, path)
    try:
        module = Stepwise(weights, entries[STEPS])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} does not say how its weights are used: {error!r}") from error
    return model_of(module, about, "safetensors")
