"""Settings of every test process, made before any test imports torch."""

import os

import pytest

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
