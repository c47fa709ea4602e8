"""A workflow, and a run of it where wanted, as a picture: what the doors call."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from sessions_app.drawing.graphs import Graph, graph_of, positions_of, text_of
from sessions_app.drawing.layout import layout_of
from sessions_app.drawing.svg import Marks, Words, picture, style_hash

# A picture that is opened by itself runs nothing and loads nothing; only its own style sheet is let through.
POLICY = f"default-src 'none'; style-src '{style_hash()}'; frame-ancestors 'self'; sandbox"
_STATE_OF_WORD = {
    **dict.fromkeys(("completed", "complete", "success", "succeeded", "done", "ok", "finished", "visited"), "done"),
    **dict.fromkeys(("running", "in_progress", "active", "current", "started"), "running"),
    **dict.fromkeys(("failed", "failure", "error", "cancelled", "timeout"), "failed"),
}
_STATE_KEYS = ("status", "state", "result")
_NODE_KEYS = ("node", "node_id", "id", "name")


def workflow_svg(workflow: Any, run: Any = None) -> str:
    """Return the picture of a Workflow's graph as SVG, with the states, path and place of a WorkflowRun where given."""
    graph = graph_of(_stated(workflow, "nodes"), _stated(workflow, "edges"))
    marks = Marks() if run is None else _marks(run, graph)
    layout = layout_of(graph, positions_of(workflow.node_positions, graph))
    return picture(graph, layout, marks, _words(workflow, run, graph))


def _stated(workflow: Any, name: str) -> Any:
    """Return nodes or edges; a definition that came in another form than a list keeps them among its other keys."""
    config = workflow.config if isinstance(workflow.config, Mapping) else {}
    return getattr(workflow, name) or config.get(name)


def _marks(run: Any, graph: Graph) -> Marks:
    path = [name for name in map(_node_of_step, run.execution_path or ()) if name in graph.nodes]
    words = {name: _word(stated) for name, stated in (run.node_states or {}).items() if name in graph.nodes}
    states = dict.fromkeys(path, "done")
    states.update({name: _STATE_OF_WORD.get(word.lower(), "waiting") for name, word in words.items()})
    if run.current_node in graph.nodes:
        if run.current_node not in words:
            states[run.current_node] = _STATE_OF_WORD.get(run.status, "waiting")
        if path and path[-1] != run.current_node:
            path.append(run.current_node)
    return Marks(states, words, run.current_node, frozenset(pairwise(path)))


def _node_of_step(step: Any) -> str:
    if isinstance(step, Mapping):
        return next((text_of(step[key]) for key in _NODE_KEYS if text_of(step.get(key))), "")
    return text_of(step)


def _word(stated: Any) -> str:
    if isinstance(stated, Mapping):
        return next((text_of(stated[key]) for key in _STATE_KEYS if text_of(stated.get(key))), "")
    if isinstance(stated, bool):
        return "done" if stated else "waiting"
    return text_of(stated)


def _words(workflow: Any, run: Any, graph: Graph) -> Words:
    told = _("Nodes: %(count)s") % {"count": len(graph.nodes)}
    if run is not None:
        place = {"run": run.run_id, "status": run.get_status_display(), "node": run.current_node or "-"}
        told += " · " + _("run %(run)s, %(status)s, at %(node)s") % place
    left_out = ""
    if graph.left_out:
        left_out = _("%(count)s more nodes and edges are not drawn.") % {"count": graph.left_out}
    return Words(workflow.name, told, _("This workflow has no nodes yet."), left_out)
