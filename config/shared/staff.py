"""Members of staff as callers: which projects they see, and what their groups let them do."""

from typing import Any

from config.shared.callers import Caller
from config.shared.errors import NotFound

DEFAULT_PROJECT_SLUG = "default"
# From the strongest to the weakest; who is in several groups has the strongest role.
ROLE_OF_GROUP = {
    "Administrator": "admin",
    "Operator": "operator",
    "Agent support": "agent",
    "Auditor": "auditor",
    "Analyst": "reader",
}
# Roles that read with contents masked.
MASKED_ROLES = frozenset({"reader", "auditor"})


def staff_role(user: Any) -> str:
    """Return the strongest role of a member of staff: superusers are admins, nobody without a group may do anything."""
    if user.is_superuser:
        return "admin"
    groups = set(user.groups.values_list("name", flat=True))
    return next((role for group, role in ROLE_OF_GROUP.items() if group in groups), "none")


def staff_caller(user: Any, project: str | None = None) -> Caller:
    """Return what a member of staff may see: superusers every project, others theirs, one of them when `project` says.

    Every project is named (never None), because the indexes of the lists begin with it. Writes go to the stated
    project, or to the only one, or to the default one. Raises NotFound for a project that is not there or not theirs.
    """
    role = staff_role(user)
    # The model is reached through the user, because the shared ground imports no app.
    projects = user.projects.model.objects.all() if user.is_superuser else user.projects.all()
    by_slug = dict(projects.values_list("slug", "pk"))
    if project is not None:
        if project not in by_slug:
            raise NotFound
        by_slug = {project: by_slug[project]}
    target = next(iter(by_slug.values())) if len(by_slug) == 1 else by_slug.get(DEFAULT_PROJECT_SLUG)
    return Caller(
        kind="staff",
        name=user.get_username(),
        role=role,
        project_ids=frozenset(by_slug.values()),
        project_id=target,
        can_see_contents=role not in MASKED_ROLES,
    )
