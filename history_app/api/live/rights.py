"""Whether who opened a stream may still see what it shows: looked at again and again while it is open."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

from config.shared.callers import Caller
from config.shared.errors import NotFound
from config.shared.staff import staff_caller
from sessions_app.models import ApiKey
from sessions_app.selectors import caller_of_key

Check = Callable[[], bool]


def rights_check(request: Any) -> Check:
    """Return the question whether the request's caller would be let in again, with the same rights as now."""
    caller: Caller = request.auth
    key = getattr(request.user, "key", None)
    if key is not None:
        return lambda: _key_still_is(key.pk, caller)
    user, login = request.user, request._request.session.session_key
    project = request.query_params.get("project")
    return lambda: _login_still_is(user.pk, user.get_session_auth_hash(), login, project, caller)


def _key_still_is(pk: int, caller: Caller) -> bool:
    key = ApiKey.objects.usable_at(timezone.now()).filter(pk=pk).first()
    return key is not None and caller_of_key(key) == caller


def _login_still_is(pk: int, auth_hash: str, login: str, project: str | None, caller: Caller) -> bool:
    users = get_user_model()._default_manager.filter(pk=pk, is_active=True, is_staff=True)
    user: Any = users.first()
    if user is None or user.get_session_auth_hash() != auth_hash:
        return False
    if not import_module(settings.SESSION_ENGINE).SessionStore().exists(login):
        return False
    try:
        return staff_caller(user, project) == caller
    except NotFound:
        return False
