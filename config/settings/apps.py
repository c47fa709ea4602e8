"""Which applications make up AgentLedger, and their order."""

INSTALLED_APPS = [
    # Unfold overrides templates of the admin, so it comes first.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
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
