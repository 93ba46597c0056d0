"""How mergers, pruners, data sets, architectures and layers are called and ordered."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pam.registry import ARCHITECTURE, DATASET, MERGER, PRUNER, Description, Kind
from pam.source.signatures import describe, registered

ANY_REQUEST = "any request"
"""What stands for all combinations of tasks, each as likely as it is asked for."""

_BACKENDS = {"torch": "PyTorch", "compile": "torch.compile", "onnxruntime": "ONNX Runtime"}

# Published experiments may name a data set that runs here under another one.
_ELSEWHERE = {"cifar10": "CIFAR-10 attributes"}


class Names:
    """How the rows of a run are called and ordered: by what their methods say of themselves.

    Args:
        config: of the run, as its manifest holds it. It says which method a row runs; a row that
            it does not name runs the method of its own name, or of what stands before a ``_``.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        experiments = (config or {}).get("experiments", {}).values()
        self._methods: dict[tuple[Kind, str], str] = {}
        self._beside: dict[str, str] = {}
        for section, kind in (("merging", MERGER), ("relatedness", MERGER), ("pruning", PRUNER)):
            for experiment in experiments:
                for row, options in experiment.get(section, {}).items():
                    self._methods.setdefault((kind, row), options.get("method") or row)
                    if kind == PRUNER and (base := options.get("beside")):
                        self._beside.setdefault(row, base)

    def merging(self, row: str) -> str:
        """Return the display name of a merging row: ``pam_gain`` of method ``pam`` is PAM gain."""
        return self._title(MERGER, row)

    def pruning(self, row: str) -> str:
        """Return the display name of a pruning row."""
        return self._title(PRUNER, row)

    def row(self, merging: str, pruning: str, beside: str | None = None) -> str:
        """Return the merging row, and the pruning row unless it is ``beside``, the baselines'."""
        name = self.merging(merging)
        return name if pruning == beside else f"{name} + {self.pruning(pruning)}"

    def dataset(self, name: str) -> str:
        """Return the display name of a data set."""
        return _ELSEWHERE.get(name) or self._title(DATASET, name)

    def architecture(self, name: str) -> str:
        """Return the display name of an architecture."""
        return self._title(ARCHITECTURE, name)

    def setting(self, dataset: str, architecture: str) -> str:
        """Return the display names of both: ``LeNet-5 on Fashion-MNIST``."""
        return f"{self.architecture(architecture)} on {self.dataset(dataset)}"

    def family(self, row: str) -> str:
        """Return the family of a merging row's method: ``"pam"`` for PAM and its variants."""
        return self._described(MERGER, row).family

    def beside(self, row: str, rows: Iterable[str]) -> str:
        """Return the pruning row, one of ``rows``, with whose B1 and B2 a pruning row is compared.

        It is the row itself unless the configuration names another one, or its method is
        registered as standing beside another.
        """
        rows = [*rows]
        if self._beside.get(row) in rows:
            return self._beside[row]
        beside = self._described(PRUNER, row).beside
        same = (one for one in self.order_prunings(rows) if one != row)
        others = [one for one in same if self.pruner(one) == beside]
        if not others or not self.is_beside_another(row):
            return row
        return beside if beside in others else others[0]

    def pruner(self, row: str) -> str:
        """Return the registered pruner that a pruning row runs."""
        return self._described(PRUNER, row).name

    def is_beside_another(self, row: str) -> bool:
        """Tell whether the method of a pruning row is registered as standing beside another one."""
        method = self._described(PRUNER, row)
        return method.beside != method.name

    def order_mergings(self, rows: Iterable[str]) -> list[str]:
        """Return merging rows in table order: baselines and controls, others, PAM, its variants."""
        return self._ordered(MERGER, rows)

    def order_prunings(self, rows: Iterable[str]) -> list[str]:
        """Return pruning rows in table order: the paper's, then peers and controls, then others."""
        return self._ordered(PRUNER, rows)

    def citations(self, used: Mapping[Kind, Iterable[str]]) -> list[str]:
        """Return where methods were published: at most one ``Sources: PAM (He et al., KDD 2021)``.

        Args:
            used: kind -> its rows; for a data set or an architecture, its name.
        """
        methods = (
            self._described(kind, row) for kind in used for row in self._ordered(kind, used[kind])
        )
        told = dict.fromkeys(f"{one.title} ({one.paper})" for one in methods if one.paper)
        return [f"Sources: {', '.join(told)}"] if told else []

    def _described(self, kind: Kind, row: str) -> Description:
        known = registered(kind)
        method = self._methods.get((kind, row), row)
        if method not in known and row.partition("_")[0] in known:
            # A row of a run whose configuration or plug-in is not at hand.
            method = row.partition("_")[0]
        return describe(kind, method) if method in known else Description(method)

    def _title(self, kind: Kind, row: str) -> str:
        method = self._described(kind, row)
        if row == method.name:
            return method.title
        variant = row.removeprefix(f"{method.name}_")
        return f"{method.title} {variant.replace('_', ' ')}"

    def _ordered(self, kind: Kind, rows: Iterable[str]) -> list[str]:
        return sorted(set(rows), key=lambda row: (self._described(kind, row).order, row))


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


def backend_rank(backend: str) -> tuple[int, str]:
    """Return what backends are sorted by: the reference first, others by name at the end."""
    known = list(_BACKENDS)
    return known.index(backend) if backend in known else len(known), backend


def order_combinations(combinations: Iterable[str]) -> list[str]:
    """Return combinations of fewer tasks first, any request last."""
    return sorted(set(combinations), key=lambda name: (name == ANY_REQUEST, name.count("&"), name))


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
