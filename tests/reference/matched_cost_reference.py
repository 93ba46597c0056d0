"""Cost at matched accuracy, spelled out: slow, and written without what the library uses."""

import math


def slow_fit(x, y):
    """The non-increasing least-squares fit at distinct x, by the formula of minima and maxima."""
    at = sorted(set(x))
    groups = [[b for a, b in zip(x, y, strict=True) if a == position] for position in at]

    def mean(first, last):
        pooled = [value for group in groups[first : last + 1] for value in group]
        return sum(pooled) / len(pooled)

    size = range(len(at))
    fit = [min(max(mean(a, b) for b in size if b >= i) for a in size if a <= i) for i in size]
    return at, fit


def slow_cost(networks, tasks, combination, delta, requirement):
    """The cost of a combination on one path, found by walking from its most costly network.

    ``networks`` are (drops, costs): task -> drop, and combination -> cost.
    """
    whole = "&".join(tasks)
    x = [math.log(costs[whole]) for _, costs in networks]
    fits = [slow_fit(x, [drops[task] for drops, _ in networks])[1] for task in tasks]
    at = sorted(set(x))
    together = [
        sum(drop) / len(tasks) if requirement == "mean" else max(drop)
        for drop in zip(*fits, strict=True)
    ]
    logs = [
        [
            math.log(costs[combination])
            for a, (_, costs) in zip(x, networks, strict=True)
            if a == position
        ]
        for position in at
    ]
    log_costs = [sum(values) / len(values) for values in logs]
    i = len(at) - 1
    if together[i] > delta + 1e-9:
        return math.inf
    while i > 0 and together[i - 1] <= delta + 1e-9:
        i -= 1
    if i == 0:
        return math.exp(log_costs[0])
    share = (together[i - 1] - delta) / (together[i - 1] - together[i])
    return math.exp(log_costs[i - 1] + min(share, 1) * (log_costs[i] - log_costs[i - 1]))
