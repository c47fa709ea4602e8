"""What belongs to a part: the things that have an id of their own, and the rows that come and go with them.

What goes when a session or a user is deleted is what comes back with it: the lists are made from the same relations.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import models

from analytics_app.models import ModelPrice
from backups_app.models import ImportRun
from backups_app.services.backups.tables import ARCHIVED, Model, archived_models
from history_app.models import Task
from sessions_app.models import (
    Document,
    KnowledgeSource,
    Project,
    Session,
    SystemConfig,
    UserConfig,
    Workflow,
    WorkflowRun,
)
from sessions_app.services.deletion import dependents


@dataclass(frozen=True)
class Named:
    """A kind of things that are found again in another store: by these columns, within their project.

    `own_id` is the column that may say something else when its id is taken; empty where there is none. `kept` are
    columns of a thing that is replaced which speak of the store it is in.
    """

    model: Any
    key: tuple[str, ...]
    own_id: str = ""
    kept: tuple[str, ...] = ()

    @property
    def has_project(self) -> bool:
        """Whether it is within a project, and is none itself."""
        return self.model is not Project

    @property
    def counts_versions(self) -> bool:
        """Whether its versions are numbered: whoever holds one must never meet another one of the same number."""
        names = {field.name: field for field in self.model._meta.local_concrete_fields}
        return isinstance(names.get("version"), models.PositiveIntegerField)


# Each one behind those that it refers to.
NAMED = (
    Named(Project, ("slug",)),
    Named(ImportRun, ("source", "source_format", "started_at")),
    Named(Workflow, ("workflow_id",), "workflow_id", ("usage_count", "last_used_at")),
    Named(Session, ("session_id",), "session_id"),
    Named(WorkflowRun, ("run_id",), "run_id"),
    Named(UserConfig, ("user_id",), "user_id"),
    Named(SystemConfig, ("key",), "key"),
    Named(KnowledgeSource, ("source_name", "source_path", "source_type", "created_at")),
    Named(Document, ("key", "namespace"), "key"),
    Named(ModelPrice, ("model", "provider", "valid_from")),
)
# What is brought along where a chosen row refers to it and it is not there; where it is there, it stays as it is.
NEEDED = (Project, ImportRun, Workflow)
# What comes with a whole project. Its keys, its audit and what it told stay with the store they were made in.
OF_PROJECT = (Workflow, Session, WorkflowRun, UserConfig, SystemConfig, KnowledgeSource, Document, ModelPrice)
OWNERS = (Session, UserConfig)


def named_of(model: Model) -> Named | None:
    """Return how things of this kind are found again, or None for rows that hang on another one."""
    return next((named for named in NAMED if named.model is model), None)


@cache
def owned() -> dict[Model, Any]:
    """Return the kinds of rows that come and go with a session or a user, each with its key to what it hangs on."""
    relations = [relation for owner in OWNERS for relation, _path in dependents(owner)]
    return {
        relation.related_model: relation.field
        for relation in relations
        if relation.on_delete is models.CASCADE and relation.related_model._meta.label_lower in ARCHIVED
    }


@cache
def tables_of_parts() -> tuple[Model, ...]:
    """Return every table that a part may have rows of, each behind those that it refers to."""
    known = {named.model for named in NAMED} | owned().keys()
    return tuple(model for model in archived_models() if model in known)


# The kinds whose new keys other rows need.
MARKED = (*(named.model for named in NAMED), Task)
