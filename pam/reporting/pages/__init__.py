"""Whole pages: the report of a run, the paper beside runs, a run beside its reference."""
