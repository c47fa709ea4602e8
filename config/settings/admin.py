"""How the admin site names and shows itself (django-unfold), and what it is made of from several apps."""

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

# Sessions open as conversations; the app that knows what was said provides the page.
AGENTLEDGER_CONVERSATION_VIEW = "history_app.admin.conversation.page.conversation_page"
FORMAT_MODULE_PATH = ["config.formats"]


def _item(title, icon, model, permission=None):
    """Return a navigation entry to the list of a model, shown to those who may look at it."""
    app, name = model.split(".")
    needed = permission or f"{app}.view_{name}"
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.has_perm(needed),
    }


_NAVIGATION = [
    {
        "items": [
            {"title": _("Overview"), "icon": "home", "link": reverse_lazy("admin:index")},
            {
                "title": _("Dashboard"),
                "icon": "dashboard",
                "link": reverse_lazy("admin:analytics_app_modelusage_dashboard"),
                "permission": lambda request: request.user.has_perm("analytics_app.view_modelusage"),
            },
            _item(_("Sessions"), "forum", "sessions_app.session"),
        ],
    },
    {
        "title": _("History"),
        "separator": True,
        "items": [
            _item(_("Messages"), "chat", "history_app.message"),
            _item(_("Tasks"), "checklist", "history_app.task"),
            _item(_("Subtasks"), "subdirectory_arrow_right", "history_app.subtask"),
            _item(_("Tool calls"), "build", "history_app.toolcall"),
            _item(_("LLM calls"), "psychology", "history_app.llmcall"),
            _item(_("Token usage"), "payments", "history_app.tokenusage"),
            _item(_("Errors"), "error", "history_app.errorrecord"),
            _item(_("Metrics"), "monitoring", "history_app.metric"),
        ],
    },
    {
        "title": _("Agents"),
        "separator": True,
        "collapsible": True,
        "items": [
            _item(_("Resident agents"), "smart_toy", "sessions_app.agentresidency"),
            _item(_("Session states"), "flag", "sessions_app.sessionstate"),
            _item(_("Workflows"), "account_tree", "sessions_app.workflow"),
            _item(_("Workflow runs"), "play_circle", "sessions_app.workflowrun"),
            _item(_("Session activity"), "schedule", "sessions_app.sessionactivity"),
            _item(_("Session labels"), "label", "sessions_app.sessionlabel"),
            _item(_("External deletions"), "link_off", "sessions_app.externaldeletion"),
            _item(_("Session deletions"), "delete_sweep", "sessions_app.sessiondeletion"),
        ],
    },
    {
        "title": _("Configuration and knowledge"),
        "separator": True,
        "collapsible": True,
        "items": [
            _item(_("System settings"), "tune", "sessions_app.systemconfig"),
            _item(_("History of settings"), "history", "sessions_app.configversion"),
            _item(_("Snapshots of settings"), "photo_camera", "sessions_app.configsnapshot"),
            _item(_("User configurations"), "manage_accounts", "sessions_app.userconfig"),
            _item(_("Provider keys"), "vpn_key", "sessions_app.providerkey"),
            _item(_("Knowledge sources"), "library_books", "sessions_app.knowledgesource"),
            _item(_("Documents"), "data_object", "sessions_app.document"),
        ],
    },
    {
        "title": _("Sums"),
        "separator": True,
        "collapsible": True,
        "items": [
            _item(_("Model prices"), "sell", "analytics_app.modelprice"),
            _item(_("Usage by model"), "bar_chart", "analytics_app.modelusage"),
            _item(_("Usage by user"), "group", "analytics_app.userusage"),
        ],
    },
    {
        "title": _("Keeping"),
        "separator": True,
        "collapsible": True,
        "items": [
            _item(_("Backups"), "backup", "backups_app.backup"),
            _item(_("Restores"), "settings_backup_restore", "backups_app.restore"),
            _item(_("Import runs"), "input", "backups_app.importrun"),
            _item(_("Import findings"), "rule", "backups_app.importfinding"),
            _item(_("Import origins"), "account_tree", "backups_app.importorigin"),
        ],
    },
    {
        "title": _("Access"),
        "separator": True,
        "collapsible": True,
        "items": [
            _item(_("Projects"), "workspaces", "sessions_app.project"),
            _item(_("API keys"), "key", "sessions_app.apikey"),
            _item(_("Staff"), "badge", "sessions_app.staffuser"),
            _item(_("Groups"), "groups", "auth.group"),
            _item(_("Failed logins"), "lock_person", "axes.accessattempt"),
            _item(_("Audit log"), "history_edu", "sessions_app.auditentry"),
            _item(_("Audit chains"), "link", "sessions_app.auditchain"),
        ],
    },
    {
        "title": _("Jobs"),
        "separator": True,
        "collapsible": True,
        "items": [
            _item(_("Jobs"), "assignment", "sessions_app.job"),
            _item(_("Events"), "notifications", "sessions_app.event"),
            _item(_("Scheduled jobs"), "event_repeat", "django_celery_beat.periodictask"),
            _item(_("Intervals"), "timer", "django_celery_beat.intervalschedule"),
            _item(_("Crontabs"), "calendar_month", "django_celery_beat.crontabschedule"),
        ],
    },
]

UNFOLD = {
    "SITE_TITLE": "AgentLedger",
    "SITE_HEADER": "AgentLedger",
    "SITE_SUBHEADER": _("System of record for agents"),
    "SITE_SYMBOL": "menu_book",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("ledger/icon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "backups_app.admin.front_page.front_page",
    "STYLES": [lambda _request: static("ledger/admin.css")],
    "SCRIPTS": [lambda _request: static("ledger/admin.js")],
    "COLORS": {
        "primary": {
            "50": "oklch(97% .015 230)",
            "100": "oklch(94% .03 230)",
            "200": "oklch(88% .06 231)",
            "300": "oklch(80% .1 232)",
            "400": "oklch(71% .13 234)",
            "500": "oklch(62% .14 237)",
            "600": "oklch(53% .13 240)",
            "700": "oklch(46% .11 241)",
            "800": "oklch(39% .09 240)",
            "900": "oklch(33% .07 240)",
            "950": "oklch(25% .05 241)",
        },
    },
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": _NAVIGATION},
}
