"""Where across its layer each node stands: as near to its neighbours' middle as the order and the room allow."""

import itertools

from sessions_app.drawing.layers import Layered

GAP = 26.0
STAND_IN_WIDTH = 8.0
ROUNDS = 10


def across(layers: Layered, widths: dict[int, float]) -> dict[int, float]:
    """Return the middle of each number across the picture; nothing overlaps, and the order of each layer is kept."""
    xs: dict[int, float] = {}
    for layer in layers.layers:
        xs.update(zip(layer, _settled([0.0] * len(layer), _distances(layer, widths)), strict=True))
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for upper, lower in layers.links():
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    for round_ in range(ROUNDS):
        downwards = round_ % 2 == 0
        neighbours = above if downwards else below
        for layer in layers.layers if downwards else layers.layers[::-1]:
            wanted = [_mean([xs[other] for other in neighbours.get(number, ())], xs[number]) for number in layer]
            xs.update(zip(layer, _settled(wanted, _distances(layer, widths)), strict=True))
    return xs


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _distances(layer: list[int], widths: dict[int, float]) -> list[float]:
    """Return the least distance of each number of a layer from the one before it; the first has none."""
    sizes = [widths.get(number, STAND_IN_WIDTH) for number in layer]
    return [0.0, *((one + other) / 2 + GAP for one, other in itertools.pairwise(sizes))]


def _settled(wanted: list[float], distances: list[float]) -> list[float]:
    """Return the places closest to the wanted ones, by the sum of squares, that keep the distances.

    Without the distances this is the regression to an ascending sequence, which pooling neighbours solves exactly.
    """
    offsets: list[float] = []
    total = 0.0
    for distance in distances:
        total += distance
        offsets.append(total)
    pools: list[list[float]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        pools.append([place - offset, 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * count) / (pools[-1][1] + count), pools[-1][1] + count]
    levels = [mean for mean, count in pools for _each in range(int(count))]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]
