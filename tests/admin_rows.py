"""One row of every table that the admin shows, and the addresses of its pages."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.urls import reverse

from sessions_app.models import AuditChain, SessionActivity, StaffUser
from tests import factories

MAKERS = {
    "agentresidency": factories.make_residency,
    "apikey": factories.make_api_key,
    "auditentry": factories.make_audit_entry,
    "backup": factories.make_backup,
    "configsnapshot": factories.make_config_snapshot,
    "configsnapshotentry": factories.make_config_snapshot_entry,
    "configversion": factories.make_config_version,
    "document": factories.make_document,
    "event": factories.make_event,
    "errorrecord": factories.make_error,
    "externaldeletion": factories.make_external_deletion,
    "importfinding": factories.make_import_finding,
    "importorigin": factories.make_import_origin,
    "importrun": factories.make_import_run,
    "job": factories.make_job,
    "knowledgesource": factories.make_knowledge_source,
    "llmcall": factories.make_llm_call,
    "message": factories.make_message,
    "metric": factories.make_metric,
    "modelprice": factories.make_model_price,
    "modelusage": factories.make_model_usage,
    "project": factories.make_project,
    "providerkey": factories.make_provider_key,
    "restore": factories.make_restore,
    "session": factories.make_session,
    "sessiondeletion": factories.make_session_deletion,
    "sessionlabel": factories.make_label,
    "sessionstate": factories.make_session_state,
    "subtask": factories.make_subtask,
    "systemconfig": factories.make_system_config,
    "task": factories.make_task,
    "tokenusage": factories.make_token_usage,
    "toolcall": factories.make_tool_call,
    "userusage": factories.make_user_usage,
    "userconfig": factories.make_user_config,
    "workflow": factories.make_workflow,
    "workflowrun": factories.make_workflow_run,
}
OWN_APPS = ("sessions_app", "history_app", "analytics_app", "backups_app")
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OWN_MODELS = [model for model in MODELS if model._meta.app_label in OWN_APPS]


def label(model: type[Model]) -> str:
    """Return the name of a table for the names of tests."""
    return str(model._meta.model_name)


def row_of(model: type[Model]) -> Any:
    """Make a row of this table."""
    name = label(model)
    if name in MAKERS:
        return MAKERS[name]()
    if model is SessionActivity:
        return factories.make_session().activity
    if model is AuditChain:
        return AuditChain.objects.get_or_create(project=factories.default_project())[0]
    if model is StaffUser:
        return StaffUser.objects.create_user(username="colleague", is_staff=True)
    if model is Group:
        return Group.objects.create(name="A group")
    return _foreign_row(name)


def _foreign_row(name: str) -> Any:
    from axes.models import AccessAttempt
    from django_celery_beat.models import (
        ClockedSchedule,
        CrontabSchedule,
        IntervalSchedule,
        PeriodicTask,
        SolarSchedule,
    )

    if name == "accessattempt":
        return AccessAttempt.objects.create(username="mallory", ip_address="192.0.2.1", failures_since_start=3)
    if name == "crontabschedule":
        return CrontabSchedule.objects.create(minute="5")
    if name == "clockedschedule":
        return ClockedSchedule.objects.create(clocked_time=factories.NOW)
    if name == "solarschedule":
        return SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=2)
    interval = IntervalSchedule.objects.create(every=10, period="seconds")
    if name == "intervalschedule":
        return interval
    return PeriodicTask.objects.create(name="a job", task="a.job", interval=interval)


def page(row_or_model: Any, name: str) -> str:
    """Return the address of a page: "changelist", "add", or a row's "change", "delete", "history"."""
    options = row_or_model._meta
    arguments = [] if isinstance(row_or_model, type) else [row_or_model.pk]
    return reverse(f"admin:{options.app_label}_{options.model_name}_{name}", args=arguments)


def form_of(client: Any, address: str) -> dict[str, Any]:
    """Return what a browser would send back from the form at this address, untouched."""
    response = client.get(address)
    assert response.status_code == 200, address
    data: dict[str, Any] = {}
    form = response.context["adminform"].form
    for bound in form:
        name, value = bound.html_name, bound.value()
        if hasattr(bound.field.widget, "widgets"):
            for number, part in enumerate(bound.field.widget.decompress(value)):
                data[f"{name}_{number}"] = "" if part is None else str(part)
        elif value is True:
            data[name] = "on"
        elif isinstance(value, list | tuple):
            data[name] = [str(getattr(item, "pk", item)) for item in value]
        elif value is not None and value is not False:
            data[name] = str(value).replace("\n", "\r\n")
    return data
