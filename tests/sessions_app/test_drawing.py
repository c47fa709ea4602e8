"""The layout of a graph as a picture shows it: nothing overlaps, ways lead down, and the same comes out again."""

import itertools
import random
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.drawing.graphs import MOST_EDGES, MOST_NODES, graph_of, positions_of
from sessions_app.drawing.layers import crossings, layered
from sessions_app.drawing.layout import HEIGHT, layout_of
from sessions_app.drawing.texts import cut, width_of
from sessions_app.drawing.workflows import workflow_svg


@pytest.fixture(autouse=True)
def _in_english():
    with override("en"):
        yield


SVG = "{http://www.w3.org/2000/svg}"


def _workflow(**fields):
    return SimpleNamespace(**{"name": "W", "nodes": [], "edges": [], "config": {}, "node_positions": {}, **fields})


def _pairs(graph):
    return [(edge.source, edge.target, edge.label) for edge in graph.edges]


def _overlaps(layout):
    boxes = list(layout.boxes.values())
    return [
        (one, two)
        for number, one in enumerate(boxes)
        for two in boxes[number + 1 :]
        if abs(one.x - two.x) < (one.width + two.width) / 2 and abs(one.y - two.y) < HEIGHT
    ]


@pytest.mark.parametrize(
    "edges",
    [
        [{"from": "a", "to": "b", "condition": "yes"}],
        [{"source": "a", "target": "b", "label": "yes"}],
        [{"from_node": "a", "to_node": "b", "when": "yes"}],
        [{"from": "a", "to": {"yes": "b"}}],
        [{"source": "a", "type": "conditional", "path_map": {"yes": "b"}}],
        [["a", "b", "yes"]],
        {"a": {"yes": "b"}},
    ],
)
def test_an_edge_is_read_in_every_form(edges):
    assert _pairs(graph_of(["a", "b"], edges)) == [("a", "b", "yes")]


def test_an_edge_may_have_several_ends():
    assert _pairs(graph_of([], [{"from": ["a", "b"], "to": ["c", "d"]}])) == [
        ("a", "c", ""),
        ("a", "d", ""),
        ("b", "c", ""),
        ("b", "d", ""),
    ]
    assert _pairs(graph_of([], ["a -> b"])) == [("a", "b", "")]


@pytest.mark.parametrize(
    "nodes",
    [
        [{"id": "a", "name": "Think", "type": "llm"}],
        [{"id": "a", "data": {"label": "Think", "kind": "llm"}}],
        {"a": {"label": "Think", "type": "llm"}},
    ],
)
def test_a_node_is_read_in_every_form(nodes):
    node = graph_of(nodes, []).nodes["a"]
    assert (node.id, node.label, node.kind) == ("a", "Think", "llm")


def test_what_is_no_graph_is_passed_over():
    graph = graph_of([None, 7, True, {}, [], {"id": {}}], ["x", None, 3, [1], {"from": "a"}, {"from": None, "to": "b"}])
    assert (list(graph.nodes), graph.edges) == (["7"], [])
    for odd in (None, "text", 5, {"a": None}):
        assert graph_of(None, odd).edges == []


def test_a_node_that_only_an_edge_knows_is_drawn_as_such():
    graph = graph_of(["a"], [["a", "ghost"]])
    assert not graph.nodes["ghost"].is_named
    assert 'class="unnamed"' in workflow_svg(_workflow(nodes=["a"], edges=[["a", "ghost"]]))


def test_the_longest_path_gives_the_layer():
    places = layered(4, {0: (0, 1), 1: (1, 2), 2: (0, 2), 3: (2, 3)}).layers
    assert [sorted(number for number in layer if number < 4) for layer in places] == [[0], [1], [2], [3]]


def test_a_cycle_is_drawn_from_its_start_and_its_way_back_leads_up():
    layout = layout_of(graph_of(["think", "act"], [["think", "act"], ["act", "think"], ["act", "act"]]), {})
    assert layout.boxes["think"].y < layout.boxes["act"].y
    down, up = layout.routes[0], layout.routes[1]
    assert down[0][1] < down[-1][1]
    assert up[0][1] > up[-1][1]
    assert down[0][0] != up[-1][0], "the two ways lie beside each other"
    assert 2 not in layout.routes


def test_crossings_that_can_be_avoided_are_avoided():
    # Two chains whose nodes stand crosswise in the definition.
    result = layered(6, {0: (0, 3), 1: (1, 2), 2: (3, 4), 3: (2, 5), 4: (0, 5), 5: (1, 4)})
    below = {}
    for upper, lower in result.links():
        below.setdefault(upper, []).append(lower)
    assert crossings([[0, 1], [2, 3]], {0: [3], 1: [2]}) == 1
    assert crossings(result.layers, below) <= 1


graphs = st.integers(1, 40).flatmap(
    lambda count: st.tuples(
        st.just(count), st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=80)
    )
)


@given(graphs)
@settings(max_examples=60, deadline=None)
def test_no_two_nodes_overlap_and_every_edge_ends_at_its_nodes(made):
    count, pairs = made
    graph = graph_of([f"n{number}" for number in range(count)], [[f"n{a}", f"n{b}"] for a, b in pairs])
    layout = layout_of(graph, {})
    assert len(layout.boxes) == count
    assert _overlaps(layout) == []
    for key, edge in enumerate(graph.edges):
        if edge.source == edge.target:
            continue
        for (x, y), name in zip(
            (layout.routes[key][0], layout.routes[key][-1]), (edge.source, edge.target), strict=True
        ):
            box = layout.boxes[name]
            assert abs(x - box.x) <= box.width / 2
            assert abs(y - box.y) <= box.height / 2


def test_stated_positions_keep_their_proportions_and_the_others_stand_below():
    graph = graph_of(["a", "b", "c", "d"], [["a", "b"], ["c", "d"], ["a", "c"]])
    layout = layout_of(graph, positions_of({"a": {"x": 0, "y": 0}, "b": [10, 5]}, graph))
    boxes = layout.boxes
    assert boxes["b"].x == pytest.approx(2 * boxes["b"].y)
    assert _overlaps(layout) == []
    assert min(boxes["c"].y, boxes["d"].y) > max(boxes["a"].y, boxes["b"].y)
    assert set(layout.routes) == {0, 1, 2}


def test_positions_that_are_none_are_computed():
    graph = graph_of(["a"], [])
    for odd in (
        None,
        [],
        {"a": None},
        {"a": {"x": "1", "y": 2}},
        {"a": [float("nan"), 0]},
        {"a": [1e300, 0]},
        {"b": [1, 2]},
    ):
        assert positions_of(odd, graph) == {}


def test_five_hundred_nodes_are_drawn_and_more_are_counted():
    chosen = random.Random(5)
    nodes = [f"n{number}" for number in range(MOST_NODES + 20)]
    edges = [[chosen.choice(nodes[:MOST_NODES]), chosen.choice(nodes[:MOST_NODES])] for _each in range(MOST_EDGES + 5)]
    workflow = _workflow(nodes=nodes, edges=edges)
    picture = workflow_svg(workflow)
    assert picture == workflow_svg(workflow)
    drawn = ElementTree.fromstring(picture)
    assert len(drawn.findall(f"{SVG}g")) == MOST_NODES
    assert "25 more nodes and edges are not drawn." in picture


def test_a_long_chain_with_a_way_back_does_not_exhaust_anything():
    nodes = [f"n{number}" for number in range(MOST_NODES)]
    edges = [[one, two] for one, two in itertools.pairwise(nodes)] + [[nodes[-1], nodes[0]]]
    layout = layout_of(graph_of(nodes, edges), {})
    assert [layout.boxes[name].y for name in nodes] == sorted(layout.boxes[name].y for name in nodes)


HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><svg onload=alert(1)>",
    "]]>&lt;",
    "\x00\x0b\ufffe\ud800",
    "</title></svg>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text):
    nodes = [{"id": text, "label": text, "type": text}, "b"]
    workflow = _workflow(name=text, nodes=nodes, edges=[{"from": text, "to": "b", "condition": text}])
    drawn = ElementTree.fromstring(workflow_svg(workflow).encode("utf-8", "replace"))
    allowed = {"svg", "title", "desc", "style", "rect", "path", "g", "text"}
    assert {each.tag.removeprefix(SVG) for each in drawn.iter()} <= allowed
    assert not [name for each in drawn.iter() for name in each.attrib if name.startswith("on") or "href" in name]


def test_an_empty_workflow_says_so():
    assert "This workflow has no nodes yet." in workflow_svg(_workflow())


def test_texts_are_cut_by_how_wide_they_are():
    assert width_of("汉字") == 2.0
    assert cut("检索并整理资料", 4) == "检索并…"
    assert cut("two\n lines", 20) == "two lines"
