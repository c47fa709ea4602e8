"""How the admin site names and shows itself (django-unfold)."""

from django.utils.translation import gettext_lazy as _

UNFOLD = {
    "SITE_TITLE": "AgentLedger",
    "SITE_HEADER": "AgentLedger",
    "SITE_SUBHEADER": _("The system of record for AI agents"),
    "SITE_SYMBOL": "menu_book",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
}
