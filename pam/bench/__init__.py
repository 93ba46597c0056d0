"""How long the networks of a run take, those of all its mergers timed in turn."""
