"""Our optimiser takes the steps of torch's, bit for bit, and never loads torch's compiler."""

import subprocess
import sys

import torch

from pam.training.progress import Nesterov


def parameters(seed: int) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(4, 3, 5, 5), (4,), (7, 9), (3,)]
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def test_the_steps_of_torch_bit_for_bit():
    ours, theirs = parameters(0), parameters(0)
    optimiser = Nesterov([(ours[:2], 0.1), (ours[2:], 0.02)], 0.9)
    groups = [{"params": theirs[:2], "lr": 0.1}, {"params": theirs[2:], "lr": 0.02}]
    reference = torch.optim.SGD(groups, momentum=0.9, nesterov=True, fused=True)
    for step in range(5):
        for one, other, gradient in zip(ours, theirs, parameters(step + 1), strict=True):
            one.grad, other.grad = gradient.detach().clone(), gradient.detach().clone()
        optimiser.step()
        reference.step()
        for one, other in zip(ours, theirs, strict=True):
            assert torch.equal(one, other)


def test_a_parameter_without_gradient_stays():
    ours = parameters(0)
    optimiser = Nesterov([(ours, 0.1)], 0.9)
    before = [one.detach().clone() for one in ours]
    ours[0].grad = torch.ones_like(ours[0])
    optimiser.step()
    stayed = [torch.equal(one, old) for one, old in zip(ours, before, strict=True)]
    assert stayed == [False, True, True, True]
    optimiser.zero_grad()
    assert all(one.grad is None for one in ours)
    optimiser.step()
    assert torch.equal(ours[1], before[1])


def test_a_step_loads_no_compiler():
    script = (
        "import sys, torch; from pam.training.progress import Nesterov; "
        "p = torch.nn.Parameter(torch.ones(2)); p.grad = torch.ones(2); "
        "Nesterov([([p], 0.1)], 0.9).step(); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
