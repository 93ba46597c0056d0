"""Settings of every test process, made before any test imports torch."""

import os

# Two one-thread workers beat two workers that fight over the cores with two threads each.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
