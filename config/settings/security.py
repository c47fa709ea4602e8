"""Secrets, hosts, logins, cookies and the content security policies."""

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

from config.env import env
from config.generated_secrets import new_field_key, new_secret_key, secret_kept_in
from config.settings.databases import DATA_DIR, EMBEDDED_DATABASE

DEBUG = env.bool("DEBUG", default=False)


def _secret(name: str, file_name: str, make) -> str:
    """Read the secret from the environment; without one, the embedded default makes its own and others get none."""
    given = env.str(name, default="")
    if given or not EMBEDDED_DATABASE:
        return given
    return secret_kept_in(DATA_DIR / file_name, make)


SECRET_KEY = _secret("SECRET_KEY", "secret_key", new_secret_key)
FIELD_ENCRYPTION_KEYS = [
    key.strip()
    for key in _secret("FIELD_ENCRYPTION_KEYS", "field_encryption_keys", new_field_key).split(",")
    if key.strip()
]

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# HTTPS says that a proxy in front speaks TLS and sets X-Forwarded-Proto; cookies then never travel in clear.
HTTPS = env.bool("HTTPS", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "agentledger_login"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# Unfold runs on Alpine.js, which evaluates expressions, and both it and Swagger write style attributes.
_STYLED = {**CONTENT_SECURITY_POLICY["DIRECTIVES"], "style-src": [SELF, UNSAFE_INLINE]}
_EVALUATING = [SELF, UNSAFE_EVAL]
# The first prefix that fits a path holds.
CSP_BY_PREFIX = {
    # The form of django-celery-beat explains crontabs by a script in the page.
    "/admin/django_celery_beat/periodictask/": {**_STYLED, "script-src": [*_EVALUATING, UNSAFE_INLINE]},
    "/admin/": {**_STYLED, "script-src": _EVALUATING},
    "/api/docs/": _STYLED,
}
