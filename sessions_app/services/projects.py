"""Projects: the walls between teams, each furnished with the default settings."""

import re
from datetime import datetime

from django.db import IntegrityError, transaction

from config.shared.callers import SYSTEM, Caller
from config.shared.errors import Conflict, InvalidInput
from sessions_app.models import Project
from sessions_app.models.accounts import DEFAULT_PROJECT
from sessions_app.services.audit import audit_record
from sessions_app.services.configs import configs_seed

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def project_create(*, slug: str, name: str, now: datetime, caller: Caller = SYSTEM) -> Project:
    """Make a project with the ten default settings. Raises InvalidInput for a bad slug, Conflict for a taken one."""
    if not _SLUG.fullmatch(slug):
        raise InvalidInput.at("/slug", "A slug is made of up to 63 lower-case letters, digits and hyphens.")
    try:
        with transaction.atomic():
            project = Project.objects.create(slug=slug, name=name or slug)
            configs_seed(project_id=project.pk, now=now)
            _audit(project, "project.create", caller, now)
    except IntegrityError as error:
        raise Conflict("There is a project of this slug already.") from error
    return project


@transaction.atomic
def project_update(*, project: Project, name: str, now: datetime, caller: Caller) -> Project:
    """Give a project another name. Its slug stays: addresses and commands use it."""
    project.name = name
    project.save(update_fields=["name"])
    _audit(project, "project.update", caller, now)
    return project


def default_project_ensure(*, now: datetime) -> Project:
    """Return the default project, made where it is missing, with every default setting that it lacks."""
    project = Project.objects.filter(slug=DEFAULT_PROJECT).first()
    if project is None:
        return project_create(slug=DEFAULT_PROJECT, name="Default", now=now)
    configs_seed(project_id=project.pk, now=now)
    return project


def _audit(project: Project, action: str, caller: Caller, now: datetime) -> None:
    audit_record(
        project_id=project.pk,
        caller=caller,
        action=action,
        target_type="project",
        target_id=project.slug,
        changes={"name": project.name},
        now=now,
    )
