"""What somebody else deleted between the reading and the write is not found, and nothing is made of it."""

import pytest

from config.shared.callers import SYSTEM
from config.shared.errors import NotFound
from history_app.services.tasks import subtask_create, subtask_update, task_update
from sessions_app.models import AuditEntry
from sessions_app.services.configs import config_delete
from sessions_app.services.knowledge import knowledge_source_update
from sessions_app.services.user_configs import user_config_delete
from sessions_app.services.workflow_runs import workflow_run_update
from sessions_app.services.workflows import workflow_update
from tests import factories

pytestmark = pytest.mark.django_db
CHANGES = {
    "setting": (factories.make_system_config, lambda row, **who: config_delete(config=row, **who)),
    "user": (factories.make_user_config, lambda row, **who: user_config_delete(user_config=row, **who)),
    "workflow": (
        factories.make_workflow,
        lambda row, **who: workflow_update(workflow=row, values={"name": "new"}, **who),
    ),
    "run": (
        factories.make_workflow_run,
        lambda row, **who: workflow_run_update(run=row, values={"status": "failed"}, merge=True, **who),
    ),
    "source": (
        factories.make_knowledge_source,
        lambda row, **who: knowledge_source_update(source=row, values={"source_name": "new"}, **who),
    ),
    "task": (
        factories.make_task,
        lambda row, now, caller: task_update(task=row, changes={"status": "failed"}, now=now),
    ),
    "subtask": (
        factories.make_subtask,
        lambda row, now, caller: subtask_update(subtask=row, changes={"status": "failed"}, now=now),
    ),
    "task that gets a subtask": (
        factories.make_task,
        lambda row, now, caller: subtask_create(task=row, description="more", now=now),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_gone_is_not_found(project, now, what):
    make, change = CHANGES[what]
    row = make()
    type(row).objects.filter(pk=row.pk).delete()
    with pytest.raises(NotFound):
        change(row, now=now, caller=SYSTEM)
    assert not type(row).objects.filter(pk=row.pk).exists()
    assert not AuditEntry.objects.exclude(action="project.create").exists()
