"""The tables of the present."""

from sessions_app.models.access import ApiKey, AuditChain, AuditEntry
from sessions_app.models.accounts import Project, StaffUser
from sessions_app.models.config_history import ConfigSnapshot, ConfigSnapshotEntry, ConfigVersion
from sessions_app.models.configuration import ProviderKey, SystemConfig, UserConfig
from sessions_app.models.counts import SessionCount
from sessions_app.models.events import Event
from sessions_app.models.external import ExternalDeletion
from sessions_app.models.idempotency import KeptAnswer
from sessions_app.models.jobs import Job
from sessions_app.models.knowledge import Document, KnowledgeSource
from sessions_app.models.residency import AgentResidency
from sessions_app.models.sessions import OfSessionQuerySet, Session, SessionActivity, SessionDeletion, SessionLabel
from sessions_app.models.states import SessionState
from sessions_app.models.workflows import Workflow, WorkflowRun

__all__ = [
    "AgentResidency",
    "ApiKey",
    "AuditChain",
    "AuditEntry",
    "ConfigSnapshot",
    "ConfigSnapshotEntry",
    "ConfigVersion",
    "Document",
    "Event",
    "ExternalDeletion",
    "Job",
    "KeptAnswer",
    "KnowledgeSource",
    "OfSessionQuerySet",
    "Project",
    "ProviderKey",
    "Session",
    "SessionActivity",
    "SessionCount",
    "SessionDeletion",
    "SessionLabel",
    "SessionState",
    "StaffUser",
    "SystemConfig",
    "UserConfig",
    "Workflow",
    "WorkflowRun",
]
