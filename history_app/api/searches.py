"""Searches over the API: what may be asked, by whom, and how an answer's pages go on."""

from typing import Any

from django.core import signing
from django.utils.translation import gettext as _
from rest_framework.utils.urls import replace_query_param

from config.shared.callers import Caller
from config.shared.errors import Forbidden, InvalidInput
from history_app.services.search_index.position import RECORD_TYPES, Position
from history_app.services.search_index.sources import from_ticks, to_ticks

LONGEST_QUERY = 1000
_SALT = "cursor:search"


def check_may_search(caller: Caller) -> None:
    """Raise Forbidden for a role that sees no contents: whether a text is there would tell it what they are."""
    if not caller.can_see_contents:
        raise Forbidden(_("Your role sees contents masked, so it cannot search them."))


def query_of(request: Any) -> str:
    """Return what is searched for. Raises InvalidInput when it is missing, empty, or too long."""
    stated: str = request.query_params.get("q", "")
    if not stated:
        raise InvalidInput.at("/q", _("Say with q which text to search for."))
    if len(stated) > LONGEST_QUERY:
        raise InvalidInput.at("/q", _("A search is for at most %d characters.") % LONGEST_QUERY)
    return stated


def types_searched(request: Any) -> list[str]:
    """Return the record types to search, both where none is named. Raises InvalidInput."""
    stated = request.query_params.getlist("record_type")
    if not set(stated) <= set(RECORD_TYPES):
        raise InvalidInput.at("/record_type", _("One of %s is required.") % ", ".join(RECORD_TYPES))
    return sorted(set(stated)) or list(RECORD_TYPES)


def position_of(request: Any) -> Position | None:
    """Return where the page begins. Raises InvalidInput for what is no cursor of a search."""
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    try:
        ticks, place, pk = signing.Signer(salt=_SALT).unsign_object(cursor)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidInput.at("/cursor", _("This is not a cursor of this list.")) from error
    return Position(from_ticks(ticks), RECORD_TYPES[place], pk)


def next_link(request: Any, position: Position | None) -> str | None:
    """Return the address of the page behind a place."""
    if position is None:
        return None
    place = [to_ticks(position.timestamp), RECORD_TYPES.index(position.record_type), position.pk]
    path, mark, query = request.build_absolute_uri().partition("?")
    return replace_query_param(
        f"{path.rstrip('/')}/{mark}{query}", "cursor", signing.Signer(salt=_SALT).sign_object(place)
    )
