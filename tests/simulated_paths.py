"""Paths of pruned networks whose true cost at every drop is known, read with binomial noise."""

from dataclasses import dataclass

import numpy as np

from pam.reporting.statistics.pruning_path import fit_path

IMAGES = 22_500
"""At an accuracy of 0.9 the standard error of a reading is 0.2 percentage points."""

_SINGLE, _SLOPE, _GAIN = 0.9, 1.2, 0.2
_LARGEST = 2.0


@dataclass(frozen=True)
class Method:
    """A merger of simulated truth: tasks share one network, or have one each.

    Attributes:
        n_tasks: how many tasks there are.
        merged: whether one network serves all.
        ratio: cost of each network over that of the one before, on average.
        jump: chance that a step goes down by up to a factor of 2 instead.
    """

    n_tasks: int
    merged: bool
    ratio: float = 0.85
    jump: float = 0.15

    @property
    def combinations(self):
        """One task, and all of them."""
        return [self.tasks[0], "&".join(self.tasks)]

    @property
    def tasks(self):
        return [chr(ord("A") + index) for index in range(self.n_tasks)]

    def seed(self, random, delta):
        """Return the fitted paths of one seed, and the true log cost of both combinations."""
        # How much computation a task needs differs between tasks and seeds.
        needs = 13 + 0.1 * np.arange(self.n_tasks) + random.normal(0, 0.15, self.n_tasks)
        parts = [range(self.n_tasks)] if self.merged else [[task] for task in range(self.n_tasks)]
        paths, crossings = [], []
        for part in parts:
            need = np.log(np.exp(_SLOPE * needs[list(part)]).mean()) / _SLOPE
            crossings.append(need - np.log(delta + _GAIN) / _SLOPE)
            paths.append(self._path(random, part, needs, crossings[-1]))
        if self.merged:
            one, every = crossings[0] + np.log(0.7), crossings[0]
        else:
            one, every = crossings[0], np.log(np.exp(crossings).sum())
        return paths, np.array([one, every])

    def _path(self, random, part, needs, crossing):
        part, x, over = list(part), [crossing + random.uniform(1.5, 2.0)], 0
        while over < 2:
            step = np.log(self.ratio) * random.uniform(0.8, 1.2)
            if random.uniform() < self.jump:
                step = np.log(random.uniform(0.5, 0.85))
            x.append(x[-1] + step)
            true = np.exp(-_SLOPE * (x[-1] - needs[part])).mean() - _GAIN
            over = over + 1 if true > 2 * _LARGEST else 0
        x = np.array(x)
        drops = np.exp(-_SLOPE * (x - needs[part][:, None])) - _GAIN
        read = random.binomial(IMAGES, _SINGLE - drops / 100) / IMAGES
        tasks = [self.tasks[task] for task in part]
        costs = {frozenset(tasks): np.exp(x)}
        if len(part) > 1:
            costs[frozenset(tasks[:1])] = 0.7 * np.exp(x)
        return fit_path(tasks, costs, 100 * (_SINGLE - read), np.full(read.shape, np.nan))
