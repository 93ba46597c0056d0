"""Settings of every test process, made before any test imports torch."""

import os

import pytest
from hypothesis import settings

# The same examples in every run, or others in each (make test-more). Nothing is kept in CI, where
# a failure says how to repeat it.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# Two one-thread workers beat two workers that fight over the cores with two threads each.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")


@pytest.fixture
def same_torch_afterwards(monkeypatch):
    import torch

    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)
