"""Settings of every test process, made before any test imports torch."""

import os
import sys

import pytest
from hypothesis import settings

# The same examples in every run, or others in each (make test-more). Nothing is kept in CI, where
# a failure says how to repeat it.
settings.register_profile("same", derandomize=True, deadline=None, max_examples=40)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# Two one-thread workers beat two workers that fight over the cores with two threads each.
THREADS = tuple(f"{library}_NUM_THREADS" for library in ("OMP", "MKL", "OPENBLAS"))
for name in THREADS:
    os.environ.setdefault(name, "1")


@pytest.fixture(autouse=True)
def same_torch_afterwards():
    """Undo what a command sets up for its whole process."""
    before = {name: os.environ[name] for name in THREADS}
    yield
    os.environ.update(before)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(int(before["OMP_NUM_THREADS"]))
        # As in pam.stages.device: use_deterministic_algorithms(False) imports torch's compiler.
        torch.set_deterministic_debug_mode("default")
