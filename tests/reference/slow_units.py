"""Which units of a network are connected, asked unit by unit along every single wire."""


def wires(network):
    """Return reader -> the units it reads, as a list of (node, reader, sources).

    A unit is (layer, group, index). Groups of the image are left out: it is always there.
    """
    found = []
    architecture = network.architecture
    for node in architecture.weighted.values():
        source_layer = architecture.source_layer(node)
        if source_layer == "image":
            continue
        for group, units in network.widths[node.layer].items():
            sources = [
                (source_layer, other, index)
                for other, count in network.widths[source_layer].items()
                if group.issubset(other)
                for index in range(count)
            ]
            found += [(node.name, (node.layer, group, index), sources) for index in range(units)]
    return found


def needed_units(network, kept):
    """Return the kept units from which a path of kept units leads to an output.

    ``kept`` is a set of hidden units.
    """
    output = network.architecture.output
    reached = {(output, g, i) for g, n in network.widths[output].items() for i in range(n)}
    growing = True
    while growing:
        growing = False
        for _, reader, sources in wires(network):
            if reader in reached:
                new = {unit for unit in sources if unit in kept} - reached
                reached |= new
                growing |= bool(new)
    return {unit for unit in reached if unit[0] != output}


def starving(network, kept):
    """Return (node, reader) of the kept units and outputs that read no kept unit at a node."""
    output = network.architecture.output
    return [
        (node, reader)
        for node, reader, sources in wires(network)
        if (reader in kept or reader[0] == output) and not any(unit in kept for unit in sources)
    ]
