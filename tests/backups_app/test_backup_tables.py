"""No table is forgotten: each stands in an archive, is emptied by a restore, or stays as it is."""

from django.apps import apps

from backups_app.services.backups.parts.belongings import MARKED, NAMED, OF_PROJECT, owned, tables_of_parts
from backups_app.services.backups.tables import ARCHIVED, EMPTIED, FURNISHED, LEFT, archived_models, columns_of
from sessions_app.models import ProviderKey, Session, UserConfig


def test_every_model_is_named_once():
    named = [*ARCHIVED, *EMPTIED, *LEFT]
    assert len(named) == len(set(named))
    assert set(named) == {model._meta.label_lower for model in apps.get_models(include_auto_created=True)}


def test_what_may_be_there_before_any_work_is_archived():
    assert set(FURNISHED) < set(ARCHIVED)


def test_every_column_of_an_archive_has_a_form():
    assert all(columns_of(model) for model in archived_models())


def test_what_a_row_refers_to_is_written_before_it():
    labels = [model._meta.label_lower for model in archived_models()]
    assert sorted(labels) == sorted(ARCHIVED)
    assert labels.index("sessions_app.project") < labels.index("sessions_app.session")
    assert labels.index("sessions_app.session") < labels.index("history_app.task")
    assert labels.index("history_app.task") < labels.index("history_app.toolcall")


# Tables of the store that no part has: each with the reason.
IN_NO_PART = {
    "admin.logentry": "staff", "auth.group": "staff", "auth.group_permissions": "staff", "auth.permission": "staff",
    "contenttypes.contenttype": "staff", "sessions_app.staffuser": "staff", "sessions_app.staffuser_groups": "staff",
    "sessions_app.staffuser_projects": "staff", "sessions_app.staffuser_user_permissions": "staff",
    "sessions_app.apikey": "what was revoked since would open again",
    "sessions_app.auditchain": "the chain goes on", "sessions_app.auditentry": "the chain goes on",
    "sessions_app.event": "it was told", "sessions_app.keptanswer": "it was answered",
    "sessions_app.externaldeletion": "it was done", "sessions_app.sessiondeletion": "the session is gone",
    "sessions_app.configversion": "the history goes on", "sessions_app.configsnapshot": "it points into the history",
    "sessions_app.configsnapshotentry": "it points into the history",
    "backups_app.importfinding": "it is about a source, not about a session",
}  # fmt: skip


def test_every_table_is_in_a_part_or_has_a_reason():
    here = {model._meta.label_lower for model in tables_of_parts()}
    assert here | IN_NO_PART.keys() == set(ARCHIVED)
    assert not here & IN_NO_PART.keys()


def test_what_belongs_to_a_session_is_what_goes_with_it():
    assert {model.__name__ for model, holder in owned().items() if holder.related_model is Session} == {
        "Arrival", "ErrorRecord", "ImportOrigin", "LLMCall", "Message", "Metric", "SessionActivity", "SessionLabel",
        "SessionState", "Task", "TokenUsage", "ToolCall",
    }  # fmt: skip
    assert {model for model, holder in owned().items() if holder.related_model is UserConfig} == {ProviderKey}
    assert set(OF_PROJECT) <= {named.model for named in NAMED} <= set(MARKED)
