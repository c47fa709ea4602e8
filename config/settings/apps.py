"""Which applications make up AgentLedger, and their order."""

from config.env import env

# Jobs need no pages: `serve` starts worker and scheduler without the admin's, which saves each 16 MB and half a second.
SERVES_PAGES = env.bool("SERVES_PAGES", default=True)

INSTALLED_APPS = [
    # Unfold overrides templates of the admin, so it comes first.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin" if SERVES_PAGES else "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "axes",
    "csp",
    "django_structlog",
    "config",
    "sessions_app",
    "history_app",
    "analytics_app",
    "backups_app",
]

AUTH_USER_MODEL = "sessions_app.StaffUser"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
