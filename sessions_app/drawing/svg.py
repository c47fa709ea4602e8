"""The picture itself: SVG without scripts, links or anything loaded, every text escaped, readable light and dark."""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from sessions_app.drawing.graphs import Edge, Graph, Node
from sessions_app.drawing.layout import EM, LOOP, PADDING, Box, Layout, Point, bounds_of
from sessions_app.drawing.texts import cut

MARGIN = 24.0
EMPTY_SIZE = (440.0, 120.0)
LABEL_EMS = 10.0
KINDS = {
    "tool": "tool",
    "llm": "llm",
    "agent": "llm",
    "start": "end",
    "end": "end",
    "condition": "choice",
    "conditional": "choice",
}
STATES = ("done", "running", "failed", "waiting")
STYLE = """
.al-graph{--al-paper:#fff;--al-ink:#1f2937;--al-quiet:#6b7280;--al-line:#9ca3af;--al-fill:#f8fafc;--al-llm:#eff6ff;
--al-tool:#fefce8;--al-end:#f1f5f9;--al-choice:#faf5ff;--al-done:#15803d;--al-running:#1d4ed8;--al-failed:#b91c1c;
--al-path:#0e7490;font-family:system-ui,"Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
@media (prefers-color-scheme:dark){.al-graph{--al-paper:#111827;--al-ink:#e5e7eb;--al-quiet:#9ca3af;--al-line:#6b7280;
--al-fill:#1f2937;--al-llm:#172554;--al-tool:#3b2f0b;--al-end:#273244;--al-choice:#2e1a47;--al-done:#86efac;
--al-running:#93c5fd;--al-failed:#fca5a5;--al-path:#67e8f9}}
.al-graph .paper{fill:var(--al-paper)}
.al-graph text{fill:var(--al-ink);text-anchor:middle}
.al-graph .name{font-size:13px}
.al-graph .kind,.al-graph .note{font-size:10.5px;fill:var(--al-quiet)}
.al-graph .when{font-size:11px;fill:var(--al-quiet);paint-order:stroke;stroke:var(--al-paper);stroke-width:4px}
.al-graph rect.node{fill:var(--al-fill);stroke:var(--al-line);stroke-width:1.4}
.al-graph .llm rect.node{fill:var(--al-llm)}
.al-graph .tool rect.node{fill:var(--al-tool)}
.al-graph .end rect.node{fill:var(--al-end)}
.al-graph .choice rect.node{fill:var(--al-choice)}
.al-graph .unnamed rect.node{stroke-dasharray:4 3}
.al-graph .done rect.node{stroke:var(--al-done);stroke-width:2}
.al-graph .running rect.node{stroke:var(--al-running);stroke-width:2}
.al-graph .failed rect.node{stroke:var(--al-failed);stroke-width:2.4}
.al-graph .current rect.node{stroke-width:4}
.al-graph .badge{font-size:12px;font-weight:700}
.al-graph .done .badge{fill:var(--al-done)}
.al-graph .running .badge{fill:var(--al-running)}
.al-graph .failed .badge{fill:var(--al-failed)}
.al-graph .waiting .badge{fill:var(--al-quiet)}
.al-graph path.edge{fill:none;stroke:var(--al-line);stroke-width:1.4}
.al-graph path.taken{stroke:var(--al-path);stroke-width:3}
.al-graph .head{fill:var(--al-line)}
.al-graph .head.taken{fill:var(--al-path)}
""".strip()
_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BADGES = {"done": "✓", "running": "▶", "failed": "✕", "waiting": "…"}


def style_hash() -> str:
    """Return the source expression by which a content security policy lets the picture's own style sheet through."""
    return "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


@dataclass(slots=True)
class Marks:
    """What a run has to show: a state by node, the node it stands at, how often each edge was taken."""

    states: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    current: str = ""
    taken: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Words:
    """The few sentences of the picture, in the reader's language."""

    title: str
    description: str
    empty: str
    left_out: str = ""


def picture(graph: Graph, layout: Layout, marks: Marks, words: Words) -> str:
    """Return the SVG document."""
    if not graph.nodes:
        return "".join(_empty(words))
    left, top, right, bottom = bounds_of(layout.boxes.values(), layout.routes.values())
    loops = {edge.source for edge in graph.edges if edge.source == edge.target}
    right += LOOP if loops else 0.0
    foot = 18.0 if words.left_out else 0.0
    frame = (left - MARGIN, top - MARGIN, right - left + 2 * MARGIN, bottom - top + 2 * MARGIN + foot)
    parts = [_head(frame, words), *_edges(graph, layout, marks)]
    parts += [part for node in graph.nodes.values() for part in _node(node, layout.boxes[node.id], marks)]
    if words.left_out:
        parts.append(_text("note", (left + right) / 2, bottom + MARGIN + 10, words.left_out))
    return "".join([*parts, "</svg>\n"])


def _head(frame: tuple[float, float, float, float], words: Words) -> str:
    x, y, width, height = (_number(value) for value in frame)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="al-graph" role="img" width="{width}" height="{height}" '
        f'viewBox="{x} {y} {width} {height}"><title>{_safe(words.title)}</title><desc>{_safe(words.description)}</desc>'
        f'<style>{STYLE}</style><rect class="paper" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>'
    )


def _empty(words: Words) -> Iterator[str]:
    width, height = EMPTY_SIZE
    yield _head((0.0, 0.0, width, height), words)
    for number in range(3):
        x = width / 2 + (number - 1) * 70
        yield f'<g class="unnamed"><rect class="node" x="{x - 22}" y="26" width="44" height="26" rx="7"/></g>'
    yield _text("name", width / 2, 84, cut(words.empty, (width - 20) / EM))
    yield "</svg>\n"


def _node(node: Node, box: Box, marks: Marks) -> Iterator[str]:
    state = marks.states.get(node.id, "")
    classes = ["unnamed" if not node.is_named else KINDS.get(node.kind.lower(), "other"), state]
    classes += ["current"] if node.id == marks.current else []
    left, top = _number(box.x - box.width / 2), _number(box.y - box.height / 2)
    told = " · ".join(part for part in (node.label, node.id, node.kind, marks.words.get(node.id, "")) if part)
    named = " ".join(each for each in classes if each)
    size = f'width="{_number(box.width)}" height="{_number(box.height)}"'
    yield f'<g class="{named}" data-node="{_safe(node.id)}"><title>{_safe(told)}</title>'
    yield f'<rect class="node" x="{left}" y="{top}" {size} rx="9"/>'
    room = (box.width - 2 * PADDING + 8) / EM
    yield _text("name", box.x, box.y + (0 if node.kind else 5), cut(node.label, room))
    if node.kind:
        yield _text("kind", box.x, box.y + 15, cut(node.kind, room * EM / 10.5))
    if state:
        yield _text("badge", box.x + box.width / 2 - 11, box.y - box.height / 2 + 14, _BADGES[state])
    yield "</g>"


def _edges(graph: Graph, layout: Layout, marks: Marks) -> Iterator[str]:
    """Yield the edges, those that were taken over the others, and all texts over all lines."""
    texts: list[str] = []
    ordered = sorted(enumerate(graph.edges), key=lambda item: (item[1].source, item[1].target) in marks.taken)
    for key, edge in ordered:
        taken = " taken" if (edge.source, edge.target) in marks.taken else ""
        points = layout.routes.get(key) or _loop(layout.boxes[edge.source])
        upright = key in layout.upright
        yield f'<path class="edge{taken}" d="{_curve(points, upright)}"/>{_arrow(points, upright, taken)}'
        if edge.label:
            texts.append(_label(edge, points))
    yield from texts


def _loop(box: Box) -> list[Point]:
    right, up = box.x + box.width / 2, box.height / 4
    return [(right, box.y - up), (right + LOOP - 8, box.y), (right, box.y + up)]


def _curve(points: list[Point], upright: bool) -> str:
    """Return a smooth path through the points, which it passes straight up or down, or as the next ones lie."""
    steps = [f"M{_pair(points[0])}"]
    padded = [points[0], *points, points[-1]]
    for before, one, two, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        if upright:
            half = (two[1] - one[1]) / 2
            lead, trail = (one[0], one[1] + half), (two[0], two[1] - half)
        else:
            # Catmull and Rom's spline, written as Bezier's.
            lead = (one[0] + (two[0] - before[0]) / 6, one[1] + (two[1] - before[1]) / 6)
            trail = (two[0] - (after[0] - one[0]) / 6, two[1] - (after[1] - one[1]) / 6)
        steps.append(f"C{_pair(lead)} {_pair(trail)} {_pair(two)}")
    return "".join(steps)


def _arrow(points: list[Point], upright: bool, taken: str) -> str:
    """Return the head: a triangle of our own, because markers take no colour from their line everywhere."""
    (x, y), tip = points[-2], points[-1]
    right, down = (0.0 if upright else tip[0] - x), tip[1] - y
    length = (right * right + down * down) ** 0.5 or 1.0
    right, down, size = right / length, down / length, 10.0 if taken else 8.0
    base = (tip[0] - right * size, tip[1] - down * size)
    wing = (-down * size * 0.45, right * size * 0.45)
    corners = [tip, (base[0] + wing[0], base[1] + wing[1]), (base[0] - wing[0], base[1] - wing[1])]
    return f'<path class="head{taken}" d="M{"L".join(_pair(corner) for corner in corners)}Z"/>'


def _label(edge: Edge, points: list[Point]) -> str:
    """Return the condition, in the middle of a long way and near the end of a short one, where ways lie apart."""
    half = len(points) // 2
    (x, y), (end_x, end_y) = (points[half - 1], points[half]) if len(points) % 2 == 0 else (points[half],) * 2
    return _text("when", x + (end_x - x) * 0.7, y + (end_y - y) * 0.6 + 4, cut(edge.label, LABEL_EMS))


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{_number(x)}" y="{_number(y)}">{_safe(text)}</text>'


def _safe(text: str) -> str:
    """Return a text that is no markup and holds only characters that XML allows."""
    return _NO_XML.sub("\ufffd", escape(text, {'"': "&quot;", "'": "&#39;"}))


def _pair(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
