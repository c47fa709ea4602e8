"""Logs: one structured line an event on standard error, as JSON or for people."""

import logging
from typing import Any

import structlog

from config.env import env

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOG_FORMAT = env.str("LOG_FORMAT", default="plain")

_SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
# Plain tracebacks: the fancy ones print local variables, and with them what people typed.
_RENDERERS: list[Any] = (
    [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if LOG_FORMAT == "json"
    else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
)

# What these say at INFO (each request, each job) is for those who look for it, with LOG_LEVEL=DEBUG.
_TALKATIVE = ("django_structlog", "celery", "kombu", "axes", "django_celery_beat")
_QUIET_LEVEL = "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_RENDERERS],
            "foreign_pre_chain": _SHARED_PROCESSORS,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # Django gives this logger handlers of its own; ours answers for all of them.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        **{name: {"level": _QUIET_LEVEL} for name in _TALKATIVE},
        # A request that was refused is the caller's matter; what broke is said at ERROR.
        "django.request": {"level": "DEBUG" if LOG_LEVEL == "DEBUG" else "ERROR"},
    },
}

structlog.configure(
    processors=[*_SHARED_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
# Looking up who calls, for the log alone, would ask the database, also where it is away.
DJANGO_STRUCTLOG_USER_ID_FIELD = None
