"""The admin of what was said, done, spent and measured."""

from history_app.admin import calls, measures, messages, tasks, usage  # noqa: F401
