"""Numbers computed from the rows of a run: matched costs, intervals over seeds, tests."""

from pam.reporting.statistics.matched_cost import MatchedCost, matched_cost

__all__ = ["MatchedCost", "matched_cost"]
