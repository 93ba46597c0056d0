"""Sub-networks as ONNX files: run by ONNX Runtime, with neither torch nor this project."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pam.deploy.exported import IMAGES, About, Model
from pam.errors import DataError, ShapeError

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork

MOST_BYTES = 2**31 - 2**20
"""What protocol buffers hold, less a little for everything but the weights."""

_FATAL = 4
_FOLDER_OF_WEIGHTS = "session.model_external_initializers_file_folder_path"


def packer(
    network: "GroupedNetwork", tasks: Sequence[str]
) -> Callable[[Sequence[str], About], bytes]:
    """Return what makes the file of any combination of some tasks: (combination, about) -> bytes.

    The network is recorded once; every combination is cut out of the recording.

    Raises:
        ShapeError: if the network is larger than an ONNX file can be.
    """
    from pam.networks.subnetwork import onnx_model, part_of

    whole = network.subnetwork(tasks).eval()
    size = sum(tensor.nbytes for tensor in whole.state_dict().values())
    if size > MOST_BYTES:
        raise ShapeError(
            f"the sub-network of {'&'.join(tasks)} has {size / 1e9:.1f} GB of weights, and an ONNX "
            f"file holds 2 GB; export fewer tasks, or as pt2"
        )
    recorded = onnx_model(whole, network.architecture.input_shape, tasks)

    def pack(combination: Sequence[str], about: About) -> bytes:
        part = part_of(recorded, combination)
        graph = part.graph
        values = [*graph.input, *graph.output, *graph.value_info, *graph.initializer]
        for noted in [part, graph, *graph.node, *values]:
            # What the exporter notes of itself: folders of this machine, and much more.
            noted.ClearField("metadata_props")
        part.doc_string = f"opset {part.opset_import[0].version}, IR version {part.ir_version}"
        for key, value in about.entries().items():
            part.metadata_props.add(key=key, value=json.dumps(value))
        return part.SerializeToString()

    return pack


def open_file(path: Path, threads: int) -> Model:
    """Open a file of :func:`packer`.

    Raises:
        DataError: if it is damaged, or was not written by this project.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _FATAL
    # Weights may lie in other files, whose names a stranger chose: from bytes, and from nowhere.
    options.add_session_config_entry(_FOLDER_OF_WEIGHTS, f"{os.devnull}/none")
    providers = ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers)
        meta = session.get_modelmeta()
        noted = meta.custom_metadata_map
        entries = {key: json.loads(noted[key]) for key in noted if key.startswith("pam.")}
    except Exception as error:  # ONNX Runtime has a class of its own per kind of damage.
        first = str(error).splitlines()[0]
        raise DataError(f"{path} is damaged or not an ONNX model: {first}") from error
    about = About.of_entries(entries, path)
    tasks = list(about.tasks)

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(tasks, session.run(tasks, {IMAGES: images}), strict=True))

    runtime = f"onnxruntime {onnxruntime.__version__}"
    return Model(about, run, runtime, f"ONNX, {meta.description}")
