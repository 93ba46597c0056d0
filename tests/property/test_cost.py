"""Costs of random networks: against fvcore, against the sub-networks themselves, and monotone."""

from hypothesis import given
from hypothesis import strategies as st

from pam.cost import (
    analytic_macs,
    macs,
    paper_flops,
    paper_flops_of_widths,
    paper_parameters_of_widths,
    parameters,
)
from pam.networks.wiring import executed
from tests.examples import examples
from tests.random_networks import networks

few = examples(15)
many = examples(80)


def needed_macs(network, combination):
    """Multiply-accumulates of the units that some output of the combination depends on."""
    channels, height, width = network.architecture.input_shape
    positions = {"c1": height * width, "c2": (height // 2) * (width // 2)}
    taps = {"c1": 25, "c2": 25, "f3": (height // 4) * (width // 4), "f4": 1, "f5": 1}
    before = {"c2": "c1", "f3": "c2", "f4": "f3", "f5": "f4"}
    total = 0
    needed = {frozenset([task]) for task in combination}
    for layer in ("f5", "f4", "f3", "c2", "c1"):
        inputs = network.widths[before[layer]] if layer in before else {}
        for group in needed:
            n_in = sum(n for g, n in inputs.items() if group <= g) if inputs else channels
            total += taps[layer] * n_in * positions.get(layer, 1) * network.widths[layer][group]
        needed = {g for g in inputs if any(group <= g for group in needed)}
    return total


@few
@given(networks(), st.data())
def test_fvcore_and_the_analytic_count_are_of_what_the_outputs_depend_on(network, data):
    combination = data.draw(st.sampled_from(network.combinations()))
    counted = macs(network.subnetwork(combination), network.architecture.input_shape)
    assert counted == analytic_macs(network, combination) == needed_macs(network, combination)


@many
@given(networks())
def test_the_width_table_costs_what_the_network_costs(network):
    shape, table = network.architecture.input_shape, network.groups()
    for combination in network.combinations():
        flops = paper_flops_of_widths("lenet5", table, combination, shape)
        assert flops == paper_flops(network, combination)
        weights = paper_parameters_of_widths("lenet5", table, combination, shape)
        biases = sum(
            units
            for groups in network.widths.values()
            for group, units in groups.items()
            if group & set(combination)
        )
        held = sum(p.numel() for p in network.subnetwork(combination).parameters())
        assert parameters(network, combination) == held <= weights + biases
        if dead_free(network, combination):
            assert held == weights + biases


def dead_free(network, combination):
    """Whether an output of the combination depends on every group that meets it."""
    needed = executed(network.architecture, network.widths, combination)
    return all(
        group in needed[layer] or not group & set(combination)
        for layer, groups in network.widths.items()
        for group in groups
    )


@many
@given(networks(), st.data())
def test_costs_are_monotone_and_subadditive_in_the_combination(network, data):
    one = data.draw(st.sampled_from(network.combinations()))
    two = data.draw(st.sampled_from(network.combinations()))
    for cost in (paper_flops, analytic_macs, parameters):
        union = cost(network, set(one) | set(two))
        assert max(cost(network, one), cost(network, two)) <= union
        assert union <= cost(network, one) + cost(network, two)
        if set(one) < set(two):
            # The outputs of the added tasks alone cost something.
            assert cost(network, one) < cost(network, two)


@many
@given(networks(), st.data())
def test_the_papers_flops_are_two_per_mac_less_one_per_unit_and_position(network, data):
    combination = data.draw(st.sampled_from(network.combinations()))
    _, height, width = network.architecture.input_shape
    positions = {"c1": height * width, "c2": (height // 2) * (width // 2)}
    made = sum(
        units * positions.get(layer, 1)
        for layer, groups in network.widths.items()
        for group, units in groups.items()
        if group & set(combination)
    )
    flops = paper_flops(network, combination)
    assert flops >= 2 * analytic_macs(network, combination) - made
    if dead_free(network, combination):
        assert flops == 2 * analytic_macs(network, combination) - made
