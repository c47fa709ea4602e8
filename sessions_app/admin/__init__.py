"""The admin of sessions, their configuration and knowledge, and of who may come in."""

from sessions_app.admin import (  # noqa: F401
    access,
    accounts,
    audit,
    config_history,
    configuration,
    events,
    external,
    jobs,
    knowledge,
    logins,
    residency,
    schedule,
    sessions,
    states,
    workflows,
)
