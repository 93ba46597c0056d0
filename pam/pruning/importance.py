"""First-order importance of units through gates that are never trained (Molchanov et al., 2019)."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from pam.networks import Group, GroupedNetwork
from pam.pruning.units import Key, PerUnit, per_channel, unit_keys


class Importance:
    """Gates ``z``, 1 for every unit and 0 once switched off, with running importance scores.

    The importance of a unit in a minibatch is ``(z dE/dz)^2`` with E the minibatch's mean loss
    (or its absolute value); scores are the mean over the minibatches of an interval, smoothed
    from one pruning event to the next.
    """

    keys = staticmethod(unit_keys)
    """From a network to the keys of its gates and their numbers of units."""

    def __init__(self, network: GroupedNetwork, criterion: str, momentum: float) -> None:
        device = next(network.parameters()).device
        self._power = {"squared": 2, "absolute": 1}[criterion]
        self._momentum = momentum
        self._gates = {
            key: torch.ones(units, device=device, requires_grad=True)
            for key, units in self.keys(network)
        }
        self._sums = {key: torch.zeros_like(gate) for key, gate in self._gates.items()}
        self._batches = 0
        self._smoothed: PerUnit | None = None

    def __call__(self, layer: str, group: Group, tensor: Tensor) -> Tensor:
        return self.gated((layer, group), tensor)

    def gated(self, key: Key, tensor: Tensor) -> Tensor:
        """Return a tensor of units times the gates of a key."""
        return tensor * per_channel(self._gates[key], tensor)

    def observe(self) -> None:
        """Add the gradients of one minibatch; call it after the backward pass."""
        self._batches += 1
        for key, gate in self._gates.items():
            if gate.grad is not None:
                self._sums[key] += (gate.detach() * gate.grad).abs() ** self._power
                gate.grad = None

    def close_interval(self) -> None:
        """Turn the interval's sums into scores: their mean, smoothed after the first interval."""
        means = {key: total / self._batches for key, total in self._sums.items()}
        if self._smoothed is None:
            self._smoothed = means
        else:
            old, m, alive = self._smoothed, self._momentum, self.alive()
            # A unit that is off keeps the score it had when it was last on.
            self._smoothed = {
                key: torch.where(alive[key], m * old[key] + (1 - m) * mean, old[key])
                for key, mean in means.items()
            }
        self._sums = {key: torch.zeros_like(total) for key, total in self._sums.items()}
        self._batches = 0

    def state(self) -> dict[str, Tensor]:
        """Return the state between two minibatches."""
        smoothed = self._smoothed or {}
        kinds = {"gate": self._gates, "sum": self._sums, "smoothed": smoothed}
        tensors = {
            f"{kind}.{i}": values[key]
            for kind, values in kinds.items()
            for i, key in enumerate(self._gates)
            if key in values
        }
        return {**tensors, "batches": torch.tensor(self._batches)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state` returned for a network of the same units."""
        self._batches = int(state["batches"])
        if "smoothed.0" in state:
            self._smoothed = {
                key: state[f"smoothed.{i}"].to(gate.device)
                for i, (key, gate) in enumerate(self._gates.items())
            }
        with torch.no_grad():
            for i, (key, gate) in enumerate(self._gates.items()):
                gate.copy_(state[f"gate.{i}"])
                self._sums[key].copy_(state[f"sum.{i}"])

    def scores(self) -> PerUnit:
        """Return the importance of every unit, float64 (units,); 0 for those switched off."""
        return {key: last * self._gates[key].detach() for key, last in self.last_scores().items()}

    def last_scores(self) -> PerUnit:
        """Return the importance every unit had when it was last on, float64 (units,)."""
        assert self._smoothed is not None, "no interval has been closed"
        return {key: score.double() for key, score in self._smoothed.items()}

    def alive(self) -> PerUnit:
        """Return which units are still on, bool (units,)."""
        return {key: gate.detach() > 0 for key, gate in self._gates.items()}

    def switch_off(self, count: int, spared: Collection[Group]) -> None:
        """Switch off the ``count`` least important units that are on, over all layers together.

        Ties go to the earlier layer, group and index; spared groups do not compete.
        """
        scores, alive = self.scores(), self.alive()
        pool = [key for key in self._gates if key[1] not in spared]
        if not pool:
            return
        flat = torch.cat([scores[key].masked_fill(~alive[key], float("inf")) for key in pool])
        count = min(count, int(flat.isfinite().sum()))
        off = torch.zeros_like(flat, dtype=torch.bool)
        off[torch.sort(flat, stable=True).indices[:count]] = True
        parts = off.split([len(self._gates[key]) for key in pool])
        with torch.no_grad():
            for key, part in zip(pool, parts, strict=True):
                self._gates[key][part] = 0.0

    def close(self, key: Key, unit: int) -> None:
        """Switch off one unit of a key."""
        with torch.no_grad():
            self._gates[key][unit] = 0.0
