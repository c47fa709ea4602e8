"""The picture of a workflow's graph over the API and in the admin."""

from xml.etree import ElementTree

import pytest

from tests.factories import make_workflow, make_workflow_run

pytestmark = pytest.mark.django_db

SVG = "{http://www.w3.org/2000/svg}"
NODES = [{"id": "think", "type": "llm"}, {"id": "act", "type": "tool"}, {"id": "finish", "type": "end"}]
EDGES = [{"from": "think", "to": "act"}, {"from": "act", "to": "think"}, {"from": "think", "to": "finish"}]


@pytest.fixture
def workflow(project):
    return make_workflow(project=project, workflow_id="react/2", name="React", nodes=NODES, edges=EDGES)


def _nodes(answer):
    drawn = ElementTree.fromstring(answer.content)
    return {each.get("data-node"): each.get("class") for each in drawn.findall(f"{SVG}g")}


def test_the_graph_is_a_picture_that_runs_nothing(reader, workflow):
    answer = reader.get("/api/workflows/react%2F2/graph.svg")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/svg+xml; charset=utf-8"
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert _nodes(answer) == {"think": "llm", "act": "tool", "finish": "end"}


def test_a_run_marks_its_states_its_way_and_where_it_is(reader, workflow):
    make_workflow_run(
        workflow=workflow,
        project=workflow.project,
        run_id="r1",
        execution_path=["think", {"node": "act"}],
        node_states={"think": {"status": "completed"}},
        current_node="act",
    )
    answer = reader.get("/api/workflows/react%2F2/graph.svg", {"run": "r1"})
    assert _nodes(answer) == {"think": "llm done", "act": "tool running current", "finish": "end"}
    assert answer.content.decode().count('class="edge taken"') == 1


def test_nodes_by_their_id_are_drawn_where_they_were_kept(reader, project):
    # A definition whose nodes are no list keeps them among its other keys, as an import does.
    graph = {"nodes": {"a": {"type": "llm"}, "b": {}}, "edges": {"a": "b"}}
    make_workflow(project=project, workflow_id="w", config=graph, nodes=[], edges=[])
    assert set(_nodes(reader.get("/api/workflows/w/graph.svg"))) == {"a", "b"}


def test_bad_input_is_named(reader, outsider, workflow):
    other = make_workflow_run(project=workflow.project, run_id="elsewhere")
    for params in ({"run": "absent"}, {"run": other.run_id}, {"run": ""}, {"size": "3"}):
        answer = reader.get("/api/workflows/react%2F2/graph.svg", params)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(params))}"
    assert reader.get("/api/workflows/absent/graph.svg").status_code == 404
    assert outsider.get("/api/workflows/react%2F2/graph.svg").status_code == 404


def test_the_picture_takes_one_query_and_one_for_the_run(reader, workflow, django_assert_num_queries):
    run = make_workflow_run(workflow=workflow, project=workflow.project)
    # A key's first call of the minute leaves its time.
    reader.get("/api/workflows/")
    with django_assert_num_queries(2):
        reader.get("/api/workflows/react%2F2/graph.svg")
    with django_assert_num_queries(3):
        reader.get("/api/workflows/react%2F2/graph.svg", {"run": run.run_id})


def test_the_admin_shows_the_graph_of_a_workflow_and_of_a_run(staff_admin, workflow):
    page = staff_admin.get(f"/admin/sessions_app/workflow/{workflow.pk}/change/").content.decode()
    assert 'data-node="finish"' in page
    run = make_workflow_run(workflow=workflow, project=workflow.project, current_node="act")
    page = staff_admin.get(f"/admin/sessions_app/workflowrun/{run.pk}/change/").content.decode()
    assert 'class="tool running current"' in page
