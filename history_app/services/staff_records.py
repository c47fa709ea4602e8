"""Facts that staff add or put right in the admin: checked like any record that comes in, and audited."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from config.shared.callers import Caller
from config.shared.errors import Conflict
from history_app.models import Fact
from history_app.services.edits import fact_update
from history_app.services.forms import fact_form
from history_app.services.recording import fact_record
from sessions_app.services.staff_edits import row_audit


@transaction.atomic
def fact_add(*, fact: Any, caller: Caller, now: datetime) -> Fact:
    """Record an unsaved fact as if it had been reported now, and audit that; return the stored one.

    An empty record id is made here, a message's number is the session's next. Raises InvalidInput, TooLarge, Conflict.
    """
    project_id = fact.session.project_id
    stored, new = fact_record(model=type(fact), project_id=project_id, fields=fact_form(fact), now=now)
    if not new:
        raise Conflict(_("This record is stored already."))
    row_audit(row=stored, verb="create", changes={}, caller=caller, now=now, project_id=project_id)
    return stored  # type: ignore[no-any-return]


@transaction.atomic
def fact_restate(*, fact: Any, caller: Caller, now: datetime) -> Fact:
    """Store an edited fact in place of what is stored under its key, and audit what differs. Raises as `fact_add`."""
    stored = type(fact)._default_manager.select_related("session").get(pk=fact.pk)
    changes = fact_form(fact)
    return fact_update(fact=stored, changes=changes, replace=True, caller=caller, now=now)  # type: ignore[no-any-return]
