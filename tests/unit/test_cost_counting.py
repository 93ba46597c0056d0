"""fvcore's count: what it counts, what it refuses, and that it leaves the module alone."""

import logging

import pytest
import torch
from torch import nn

import pam
from pam.cost import macs

SHAPE = (1, 12, 20)


def test_a_computed_but_unused_branch_is_not_counted():
    class Wasteful(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 3), nn.Linear(4, 100)

        def forward(self, x):
            self.unused(x)
            return {"A": self.used(x)}

    assert macs(Wasteful(), (4,)) == 12


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (lambda x: x * x, "aten::mul"),
        (lambda x: x / x, "aten::div"),
        (torch.cumsum, "aten::cumsum"),
        (torch.softmax, "aten::softmax"),
    ],
)
def test_an_operator_without_a_known_cost_fails(operation, name):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            y = self.conv(x)
            return operation(y, 1) if operation in (torch.cumsum, torch.softmax) else operation(y)

    with pytest.raises(pam.ConfigError, match=name):
        macs(Odd(), SHAPE)


def test_pooling_activations_and_reshapes_are_free():
    plain = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(480, 3))
    dressed = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(1), nn.AvgPool2d(1),
        nn.Flatten(), nn.Linear(480, 3), nn.Tanh(), nn.Sigmoid(),
    )  # fmt: skip
    assert macs(dressed, SHAPE) == macs(plain, SHAPE) == 9 * 2 * 240 + 480 * 3


def test_the_module_is_left_as_it_was(caplog):
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh())
    module[0].eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with caplog.at_level(logging.DEBUG):
        assert macs(module, SHAPE) == macs(module, SHAPE)
    assert [m.training for m in module.modules()] == [True, False, True, True]
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert not caplog.records
    with pytest.raises(pam.ShapeError, match=r"cannot run on \(2, 12, 20\) images"):
        macs(module, (2, 12, 20))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
