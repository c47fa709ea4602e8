"""Where each node stands and which way each edge takes: stated positions are kept, the others are computed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sessions_app.drawing.graphs import Graph
from sessions_app.drawing.layers import Layered, layered
from sessions_app.drawing.placing import across
from sessions_app.drawing.texts import width_of

Point = tuple[float, float]

EM = 13.0
HEIGHT = 44.0
NARROWEST, WIDEST = 92.0, 220.0
PADDING = 14.0
BETWEEN_LAYERS = 52.0
BETWEEN_PARTS = 48.0
LOOP = 34.0
# Nodes that are nearer to each other than this many times would cure stand over each other: so they were put.
MOST_SPREAD = 400.0
BEND = 18.0
# Parts of a graph stand beside each other until the picture is about this wide, then below.
WIDTH_OF_A_ROW = 1_400.0


@dataclass(slots=True)
class Box:
    """Where a node stands: its middle, and its size."""

    x: float
    y: float
    width: float
    height: float = HEIGHT


@dataclass(slots=True)
class Layout:
    """Boxes by node id, and by an edge's number the points that it passes; an edge to oneself has none.

    Edges that layers have routed are `upright`: they pass each point straight up or down.
    """

    boxes: dict[str, Box] = field(default_factory=dict)
    routes: dict[int, list[Point]] = field(default_factory=dict)
    upright: set[int] = field(default_factory=set)


def layout_of(graph: Graph, stated: dict[str, Point]) -> Layout:
    """Place every node. Stated positions are middles of nodes; they are spread where nodes would overlap."""
    widths = {name: _width(node.label) for name, node in graph.nodes.items()}
    layout = Layout({name: Box(x, y, widths[name]) for name, (x, y) in _spread(stated, widths).items()})
    lowest = max((box.y + box.height for box in layout.boxes.values()), default=0.0)
    leftmost = min((box.x - box.width / 2 for box in layout.boxes.values()), default=0.0)
    left, top, tallest = leftmost, lowest + (BETWEEN_PARTS if stated else 0.0), 0.0
    for names in _parts(graph, [name for name in graph.nodes if name not in stated]):
        part = _Part(graph, names, widths)
        if left > leftmost and left + part.width - leftmost > WIDTH_OF_A_ROW:
            left, top, tallest = leftmost, top + tallest + BETWEEN_PARTS, 0.0
        part.move_into(layout, left, top)
        left, tallest = left + part.width + BETWEEN_PARTS, max(tallest, part.height)
    _go_straight(graph, layout)
    return layout


def _go_straight(graph: Graph, layout: Layout) -> None:
    """Give each edge that no layers have routed a straight way, bent where another one runs between the same nodes."""
    beside: dict[frozenset[str], int] = {}
    for key, edge in enumerate(graph.edges):
        if key in layout.routes or edge.source == edge.target:
            continue
        ends = frozenset((edge.source, edge.target))
        beside[ends] = beside.get(ends, -1) + 1
        # The first one is straight, and the others bend more and more, each to the left of where it goes.
        bend = BEND * (beside[ends] + 1) // 2 * 2 if beside[ends] else 0.0
        layout.routes[key] = _straight(layout.boxes[edge.source], layout.boxes[edge.target], bend)


def _straight(source: Box, target: Box, bend: float) -> list[Point]:
    right, down = target.x - source.x, target.y - source.y
    length = (right * right + down * down) ** 0.5 or 1.0
    middle = ((source.x + target.x) / 2 + bend * down / length, (source.y + target.y) / 2 - bend * right / length)
    return [_border(source, middle), *([middle] if bend else []), _border(target, middle)]


def _border(box: Box, towards: Point) -> Point:
    """Return where the line from the middle of a box to a point leaves the box."""
    right, down = towards[0] - box.x, towards[1] - box.y
    if not (right or down):
        return (box.x, box.y + box.height / 2)
    share = min(box.width / 2 / abs(right) if right else 1e9, box.height / 2 / abs(down) if down else 1e9)
    return (box.x + right * min(share, 1.0), box.y + down * min(share, 1.0))


def _width(label: str) -> float:
    return min(WIDEST, max(NARROWEST, width_of(label) * EM + 2 * PADDING))


def _spread(stated: dict[str, Point], widths: dict[str, float]) -> dict[str, Point]:
    """Return the positions in such a scale that no two nodes overlap, unless they stand on the very same place."""
    scale = 1.0
    placed = sorted(stated.items(), key=lambda item: item[1])
    for number, (name, (x, y)) in enumerate(placed):
        for other, (other_x, other_y) in placed[number + 1 :]:
            far, apart = abs(other_x - x), abs(other_y - y)
            wanted = (widths[name] + widths[other]) / 2 + PADDING
            if far * scale >= wanted or apart * scale >= HEIGHT + PADDING:
                continue
            needed = min(wanted / far if far else MOST_SPREAD, (HEIGHT + PADDING) / apart if apart else MOST_SPREAD)
            scale = min(max(scale, needed), MOST_SPREAD)
    return {name: (x * scale, y * scale) for name, (x, y) in stated.items()}


def _parts(graph: Graph, names: list[str]) -> list[list[str]]:
    """Return the names by what hangs together, in the order of the definition."""
    chosen = set(names)
    beside: dict[str, list[str]] = {name: [] for name in names}
    for edge in graph.edges:
        if edge.source in chosen and edge.target in chosen:
            beside[edge.source].append(edge.target)
            beside[edge.target].append(edge.source)
    seen: set[str] = set()
    parts = []
    for root in names:
        if root in seen:
            continue
        found, seen = [root], seen | {root}
        for name in found:
            fresh = [other for other in dict.fromkeys(beside[name]) if other not in seen]
            seen.update(fresh)
            found.extend(fresh)
        together = set(found)
        parts.append([name for name in names if name in together] if len(found) > 1 else found)
    return parts


class _Part:
    """One connected part of a graph, laid out from the point (0, 0)."""

    def __init__(self, graph: Graph, names: list[str], widths: dict[str, float]) -> None:
        self._names = names
        number_of = {name: number for number, name in enumerate(names)}
        inside = {
            key: (number_of[edge.source], number_of[edge.target])
            for key, edge in enumerate(graph.edges)
            if edge.source in number_of and edge.target in number_of
        }
        self._layers = layered(len(names), inside)
        loops = {source for source, target in inside.values() if source == target}
        sizes = {number: widths[name] + (LOOP if number in loops else 0.0) for number, name in enumerate(names)}
        self._widths = {number: widths[name] for number, name in enumerate(names)}
        self._xs = across(self._layers, sizes)
        self._depth = {number: depth for depth, layer in enumerate(self._layers.layers) for number in layer}
        edges_of_layers = [(self._xs[number], sizes.get(number, 0.0)) for number in self._depth]
        self._left = min(x - size / 2 for x, size in edges_of_layers)
        self.width = max(x + size / 2 for x, size in edges_of_layers) - self._left
        self.height = len(self._layers.layers) * (HEIGHT + BETWEEN_LAYERS) - BETWEEN_LAYERS

    def _middle(self, number: int, left: float, top: float) -> Point:
        y = top + HEIGHT / 2 + self._depth[number] * (HEIGHT + BETWEEN_LAYERS)
        return (self._xs[number] - self._left + left, y)

    def move_into(self, layout: Layout, left: float, top: float) -> None:
        """Add the boxes and routes of this part, with its upper left corner at a point."""
        for number, name in enumerate(self._names):
            x, y = self._middle(number, left, top)
            layout.boxes[name] = Box(x, y, self._widths[number])
        ports = _Ports(self._layers, self._xs, self._depth, self._widths)
        for key, chain in self._layers.chains.items():
            points = [self._middle(number, left, top) for number in chain]
            downwards = self._depth[chain[0]] < self._depth[chain[-1]]
            start = _moved(points[0], ports.shift(key, chain[0]), HEIGHT / 2 if downwards else -HEIGHT / 2)
            end = _moved(points[-1], ports.shift(key, chain[-1]), -HEIGHT / 2 if downwards else HEIGHT / 2)
            layout.routes[key] = [start, *points[1:-1], end]
            layout.upright.add(key)


def _moved(point: Point, right: float, down: float) -> Point:
    return (point[0] + right, point[1] + down)


class _Ports:
    """Where at a node's upper or lower side each edge is tied on: side by side, in the order of where they lead."""

    def __init__(self, layers: Layered, xs: dict[int, float], depth: dict[int, int], widths: dict[int, float]) -> None:
        sides: dict[tuple[int, bool], list[tuple[float, int]]] = {}
        for key, chain in layers.chains.items():
            for number, after in ((chain[0], chain[1]), (chain[-1], chain[-2])):
                sides.setdefault((number, depth[after] > depth[number]), []).append((xs[after], key))
        self._shifts: dict[tuple[int, int], float] = {}
        for (number, _below), ends in sides.items():
            step = min(22.0, (widths[number] - 2 * PADDING) / len(ends))
            for place, (_x, key) in enumerate(sorted(ends)):
                self._shifts[key, number] = (place - (len(ends) - 1) / 2) * step

    def shift(self, key: int, number: int) -> float:
        """Return how far right of the middle an edge is tied to a node."""
        return self._shifts[key, number]


def bounds_of(boxes: Iterable[Box], routes: Iterable[list[Point]]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of everything that is drawn."""
    corners = [(box.x + side * box.width / 2, box.y + side * box.height / 2) for box in boxes for side in (-1, 1)]
    points = [*corners, *(point for route in routes for point in route)] or [(0.0, 0.0)]
    xs, ys = [x for x, _y in points], [y for _x, y in points]
    return min(xs), min(ys), max(xs), max(ys)
