"""Puts the nodes of a graph into layers by longest path, and orders each layer so that few edges cross.

The steps are those of Sugiyama, Tagawa and Toda (1981): turn edges against the flow, give layers, stand-ins on the
layers that a long edge passes, order by barycenter. It is deterministic: ties fall to the order of the definition.
"""

import itertools
from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

SWEEPS = 12
# Beyond this many stand-ins long edges are drawn straight: no picture of such a graph is clear anyway.
MOST_STAND_INS = 5_000

Pair = tuple[int, int]


@dataclass(slots=True)
class Layered:
    """Numbers of nodes in layers from the top down, and for each edge the chain of numbers that it passes.

    Numbers from `count` on are stand-ins. A chain runs from the edge's source to its target, be it up or down.
    """

    count: int
    layers: list[list[int]] = field(default_factory=list)
    chains: dict[int, list[int]] = field(default_factory=dict)

    def links(self) -> list[Pair]:
        """Return the pairs of neighbours on adjacent layers, the upper one first."""
        layer_of = {number: depth for depth, layer in enumerate(self.layers) for number in layer}
        pairs = [pair for chain in self.chains.values() for pair in itertools.pairwise(chain)]
        ordered = [pair if layer_of[pair[0]] < layer_of[pair[1]] else pair[::-1] for pair in pairs]
        return [(upper, lower) for upper, lower in ordered if layer_of[lower] - layer_of[upper] == 1]


def layered(count: int, edges: dict[int, Pair]) -> Layered:
    """Return the layers of `count` nodes with these edges, by a number of their own; edges to oneself are left out."""
    edges = {key: pair for key, pair in edges.items() if pair[0] != pair[1]}
    against = _against_the_flow(count, edges.values())
    flow = {key: pair[::-1] if pair in against else pair for key, pair in edges.items()}
    depths = _longest_paths(count, list(flow.values()))
    result = Layered(count, [[] for _depth in range(max(depths, default=-1) + 1)])
    for number, depth in enumerate(depths):
        result.layers[depth].append(number)
    _pass_through(result, flow, depths, {key for key, pair in edges.items() if pair in against})
    _order(result)
    return result


def _neighbours(count: int, pairs: Iterable[Pair]) -> list[list[int]]:
    following: list[list[int]] = [[] for _number in range(count)]
    for source, target in pairs:
        following[source].append(target)
    return following


def _against_the_flow(count: int, pairs: Iterable[Pair]) -> set[Pair]:
    """Return the edges that close a cycle, found by a depth-first walk from the nodes as they were defined.

    Nodes without an edge to them come first, so that a workflow starts at its start.
    """
    pairs = list(pairs)
    following = _neighbours(count, pairs)
    entered = {target for _source, target in pairs}
    closing: set[Pair] = set()
    state = [0] * count
    for root in sorted(range(count), key=lambda number: number in entered):
        if state[root]:
            continue
        state[root] = 1
        path = [(root, iter(following[root]))]
        while path:
            number, rest = path[-1]
            after = next(rest, None)
            if after is None:
                state[number] = 2
                path.pop()
            elif state[after] == 1:
                closing.add((number, after))
            elif not state[after]:
                state[after] = 1
                path.append((after, iter(following[after])))
    return closing


def _longest_paths(count: int, pairs: list[Pair]) -> list[int]:
    """Return for each node how many edges the longest way to it has."""
    following = _neighbours(count, pairs)
    waiting = [0] * count
    for _source, target in pairs:
        waiting[target] += 1
    depths = [0] * count
    ready = [number for number in range(count) if not waiting[number]]
    for number in ready:
        for after in following[number]:
            depths[after] = max(depths[after], depths[number] + 1)
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    return depths


def _pass_through(result: Layered, flow: dict[int, Pair], depths: list[int], turned: set[int]) -> None:
    """Give each edge its chain, with stand-ins on the layers between its ends."""
    needed = sum(depths[lower] - depths[upper] - 1 for upper, lower in flow.values())
    number = result.count
    for key, (upper, lower) in flow.items():
        chain = [upper]
        for depth in range(depths[upper] + 1, depths[lower]) if needed <= MOST_STAND_INS else ():
            result.layers[depth].append(number)
            chain.append(number)
            number += 1
        chain.append(lower)
        result.chains[key] = chain[::-1] if key in turned else chain


def _order(result: Layered) -> None:
    """Sweep down and up, each layer by the mean place of its neighbours, and keep the order that crosses least."""
    links = result.links()
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for upper, lower in links:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    best, fewest = [list(layer) for layer in result.layers], crossings(result.layers, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        order = range(1, len(result.layers)) if downwards else range(len(result.layers) - 2, -1, -1)
        for depth in order:
            fixed = result.layers[depth - 1 if downwards else depth + 1]
            _sort_by_neighbours(result.layers[depth], fixed, above if downwards else below)
        found = crossings(result.layers, below)
        if found < fewest:
            best, fewest = [list(layer) for layer in result.layers], found
    result.layers = best


def _sort_by_neighbours(layer: list[int], fixed: list[int], neighbours: dict[int, list[int]]) -> None:
    place = {number: index for index, number in enumerate(fixed)}
    weight = {}
    for index, number in enumerate(layer):
        places = [place[other] for other in neighbours.get(number, ())]
        # Who has no neighbour there stays where it is, in proportion.
        weight[number] = sum(places) / len(places) if places else index * len(fixed) / len(layer)
    layer.sort(key=lambda number: weight[number])


def crossings(layers: list[list[int]], below: dict[int, list[int]]) -> int:
    """Return how many pairs of links between adjacent layers cross."""
    total = 0
    for upper, lower in itertools.pairwise(layers):
        place = {number: index for index, number in enumerate(lower)}
        passed: list[int] = []
        for number in upper:
            ends = sorted(place[other] for other in below.get(number, ()))
            total += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total
