"""Numbers computed from the rows of a run: matched costs, intervals over seeds, tests."""
