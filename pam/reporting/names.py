"""How mergers, pruners and layers are called and ordered in tables and figures."""

from collections.abc import Iterable, Sequence

_MERGINGS = {
    "none": "B1 none",
    "mtz": "B2 MTZ",
    "all_shared": "all shared",
    "zipit": "ZipIt!",
    "random": "random (control)",
    "pam": "PAM",
}
_PRUNINGS = {
    "vibnet": "VIBNet (P1)",
    "taylor": "Taylor (P2)",
    "l1": "L1 norm",
    "random": "random (control)",
}
_DATASETS = {
    "fashion_mnist": "Fashion-MNIST",
    "celeba": "CelebA",
    "lfw": "LFW",
    "cartoon_faces": "cartoon faces (synthetic)",
    "cifar10": "CIFAR-10 attributes",
}
_ARCHITECTURES = {
    "lenet5": "LeNet-5",
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
}
_BACKENDS = {
    "torch": "PyTorch",
    "compile": "torch.compile",
    "onnxruntime": "ONNX Runtime",
}


def merging_name(merging: str) -> str:
    """Return the display name of a merger: ``pam_gain`` is ``PAM gain``."""
    if merging in _MERGINGS:
        return _MERGINGS[merging]
    head, _, tail = merging.partition("_")
    return f"{_MERGINGS.get(head, head)} {tail.replace('_', ' ')}".strip()


def pruning_name(pruning: str) -> str:
    """Return the display name of a pruner."""
    return _PRUNINGS.get(pruning, pruning.replace("_", " "))


def dataset_name(dataset: str) -> str:
    """Return the display name of a data set."""
    return _DATASETS.get(dataset, dataset.replace("_", " "))


def architecture_name(architecture: str) -> str:
    """Return the display name of an architecture."""
    return _ARCHITECTURES.get(architecture, architecture)


def backend_name(backend: str) -> str:
    """Return the display name of what ran a network that was timed."""
    return _BACKENDS.get(backend, backend)


def combination_name(combination: str) -> str:
    """Return ``task A`` or ``tasks A&B``."""
    return f"tasks {combination}" if "&" in combination else f"task {combination}"


def size_name(n_tasks: float) -> str:
    """Return ``1 task`` or ``2 tasks``."""
    return f"{n_tasks:.0f} task{'s' if n_tasks > 1 else ''}"


def file_stem(experiments: Sequence[str], experiment: str, name: str) -> str:
    """Return what a table's or figure's files are called: led by the experiment if not alone."""
    return name if len(experiments) == 1 else f"{experiment}-{name}"


def order_mergings(mergings: Iterable[str]) -> list[str]:
    """Return mergers in table order: baselines and controls, others, PAM, its variants."""
    before = [name for name in _MERGINGS if name != "pam"]

    def rank(name: str) -> tuple[int, str]:
        if name in before:
            return before.index(name), ""
        return len(before) + (1 if name == "pam" else 2 if name.startswith("pam_") else 0), name

    return sorted(set(mergings), key=rank)


def order_prunings(prunings: Iterable[str]) -> list[str]:
    """Return pruners in the paper's order, P1 before P2, then peers and controls, then others."""
    known = list(_PRUNINGS)
    return sorted(set(prunings), key=lambda p: (known.index(p) if p in known else len(known), p))


def backend_rank(backend: str) -> tuple[int, str]:
    """Return what backends are sorted by: the reference first, others by name at the end."""
    known = list(_BACKENDS)
    return known.index(backend) if backend in known else len(known), backend


def order_combinations(combinations: Iterable[str]) -> list[str]:
    """Return combinations of fewer tasks first."""
    return sorted(set(combinations), key=lambda name: (name.count("&"), name))


def pooled(combinations: Sequence[str]) -> dict[str, list[str]]:
    """Return label -> the combinations whose mean it stands for: of two tasks, each alone.

    Of more tasks, all combinations of as many tasks are taken together.
    """
    if len(combinations) <= 3:
        return {name: [name] for name in combinations}
    labels: dict[str, list[str]] = {}
    for name in combinations:
        labels.setdefault(size_name(name.count("&") + 1), []).append(name)
    return labels


class Names:
    """How the rows of a run are called and ordered: by what their methods say of themselves."""

    def merging(self, row: str) -> str:
        """Return the display name of a merging row."""
        return merging_name(row)

    def pruning(self, row: str) -> str:
        """Return the display name of a pruning row."""
        return pruning_name(row)

    def dataset(self, name: str) -> str:
        """Return the display name of a data set."""
        return dataset_name(name)

    def architecture(self, name: str) -> str:
        """Return the display name of an architecture."""
        return architecture_name(name)

    def family(self, row: str) -> str:
        """Return the family of a merging row's method: ``"pam"`` for PAM and its variants."""
        return "pam" if row == "pam" or row.startswith("pam_") else row

    def order_mergings(self, rows: Iterable[str]) -> list[str]:
        """Return merging rows in table order: baselines and controls, others, PAM, its variants."""
        return order_mergings(rows)

    def order_prunings(self, rows: Iterable[str]) -> list[str]:
        """Return pruning rows in table order: the paper's, then peers and controls, then others."""
        return order_prunings(rows)
