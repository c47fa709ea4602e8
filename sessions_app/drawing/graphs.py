"""Reads a workflow's nodes and edges, in whatever form they came, as one plain graph."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_NODES = 500
MOST_EDGES = 2_000
MOST_CHARACTERS = 300
# The furthest that a stated position may be from the origin; what is further is placed by the layout.
FURTHEST = 100_000.0
_PAIR = 2
_ID_KEYS = ("id", "node_id", "key", "name")
_LABEL_KEYS = ("label", "title", "name")
_KIND_KEYS = ("type", "kind", "node_type")
_SOURCE_KEYS = ("source", "from", "from_node", "start", "src")
_TARGET_KEYS = ("target", "to", "to_node", "end", "dst")
_CONDITION_KEYS = ("condition", "label", "when", "name")
_BRANCH_KEYS = ("path_map", "branches", "targets", "mapping")


@dataclass(slots=True)
class Node:
    """One node. `is_named` is False for one that only an edge speaks of."""

    id: str
    label: str
    kind: str = ""
    is_named: bool = True


@dataclass(slots=True)
class Edge:
    """One edge between two nodes, by their ids, with what must hold for it to be taken."""

    source: str
    target: str
    label: str = ""


@dataclass(slots=True)
class Graph:
    """What a workflow's definition says, bounded; `left_out` counts the nodes and edges that are over the bounds."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    left_out: int = 0


def graph_of(nodes: Any, edges: Any) -> Graph:
    """Return the graph of a definition.

    Nodes are a list of ids or of objects, or an object by id. Edges are a list of objects (`source` and `target`, or
    `from` and `to`, one or several of each, or branches by condition), of pairs or of texts `a -> b`; or an object of
    source to target or targets. What is none of these is passed over: a picture is no validation.
    """
    graph = Graph()
    for node in _nodes(nodes):
        if node.id not in graph.nodes and len(graph.nodes) >= MOST_NODES:
            graph.left_out += 1
        else:
            graph.nodes.setdefault(node.id, node)
    for edge in _edges(edges):
        _add(graph, edge)
    return graph


def _add(graph: Graph, edge: Edge) -> None:
    """Add an edge, with the nodes that it alone speaks of."""
    unknown = {edge.source, edge.target} - graph.nodes.keys()
    if len(graph.edges) >= MOST_EDGES or len(graph.nodes) + len(unknown) > MOST_NODES:
        graph.left_out += 1
        return
    for name in (edge.source, edge.target):
        graph.nodes.setdefault(name, Node(name, name, is_named=False))
    graph.edges.append(edge)


def _nodes(stated: Any) -> Iterator[Node]:
    if isinstance(stated, Mapping):
        for name, inner in stated.items():
            yield _node({**inner, "id": name} if isinstance(inner, Mapping) else {"id": name, "type": inner})
        return
    for item in stated if isinstance(stated, list) else ():
        if isinstance(item, Mapping) and _first(item, _ID_KEYS):
            yield _node(item)
        elif text_of(item):
            yield Node(text_of(item), text_of(item))


def _node(stated: Mapping[str, Any]) -> Node:
    # A canvas keeps what it shows one level below.
    data = stated.get("data")
    inner = data if isinstance(data, Mapping) else {}
    name = _first(stated, _ID_KEYS)
    label = _first(stated, _LABEL_KEYS) or _first(inner, _LABEL_KEYS) or name
    return Node(name, label, _first(stated, _KIND_KEYS) or _first(inner, _KIND_KEYS))


def _edges(stated: Any) -> Iterator[Edge]:
    if isinstance(stated, Mapping):
        for source, targets in stated.items():
            yield from _many([text_of(source)], targets, "")
        return
    for item in stated if isinstance(stated, list) else ():
        if isinstance(item, Mapping):
            yield from _of_object(item)
        elif isinstance(item, list) and len(item) in (_PAIR, _PAIR + 1):
            yield from _many(_texts(item[0]), item[1], next(map(text_of, item[_PAIR:]), ""))
        elif isinstance(item, str) and "->" in item:
            source, _arrow, target = item.partition("->")
            yield from _many([source.strip()], target.strip(), "")


def _of_object(item: Mapping[str, Any]) -> Iterator[Edge]:
    sources = next((_texts(item[key]) for key in _SOURCE_KEYS if key in item), [])
    label = next((text_of(item[key]) for key in _CONDITION_KEYS if text_of(item.get(key))), "")
    for key in _TARGET_KEYS:
        if key in item:
            yield from _many(sources, item[key], label)
    for key in _BRANCH_KEYS:
        if key in item:
            yield from _many(sources, item[key], label)


def _many(sources: Iterable[str], targets: Any, label: str) -> Iterator[Edge]:
    """Yield an edge from each source to each target; an object of targets is by condition."""
    pairs = (
        [(text_of(condition), name) for condition, inner in targets.items() for name in _texts(inner)]
        if isinstance(targets, Mapping)
        else [(label, name) for name in _texts(targets)]
    )
    for source in sources:
        for condition, target in pairs:
            if source and target:
                yield Edge(source, target, condition)


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    named = [_first(item, _ID_KEYS) if isinstance(item, Mapping) else text_of(item) for item in items]
    return [text for text in named if text]


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((text_of(item[key]) for key in keys if text_of(item.get(key))), "")


def text_of(value: Any) -> str:
    """Return a scalar as text of bounded length, and "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)[:MOST_CHARACTERS]


def positions_of(stated: Any, graph: Graph) -> dict[str, tuple[float, float]]:
    """Return the positions that are given for nodes of the graph, as `{"x", "y"}` or pairs of finite numbers."""
    found = {}
    for name, place in stated.items() if isinstance(stated, Mapping) else ():
        inner = place.get("position", place) if isinstance(place, Mapping) else place
        pair = [inner.get("x"), inner.get("y")] if isinstance(inner, Mapping) else inner
        if name in graph.nodes and isinstance(pair, list) and len(pair) == _PAIR and all(map(_is_place, pair)):
            found[name] = (float(pair[0]), float(pair[1]))
    return found


def _is_place(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) <= FURTHEST
