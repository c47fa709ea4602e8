"""The admin of sessions, their configuration and knowledge, and of who may come in."""

from sessions_app.admin import (  # noqa: F401
    access,
    accounts,
    audit,
    configuration,
    events,
    jobs,
    knowledge,
    logins,
    residency,
    schedule,
    sessions,
    states,
    workflows,
)
