"""Functions that a lower app asks of the app above it, named by their dotted paths; None where nobody answers."""

# (project id, TokenUsageDraft) -> Price | None: what a use of tokens costs.
AGENTLEDGER_PRICE_FUNCTION: str | None = "analytics_app.services.pricing.usage_price"
# (project_id, key, fingerprint, now, act) -> Answer: does what a request asks for once under its Idempotency-Key.
AGENTLEDGER_ANSWER_ONCE_FUNCTION = "sessions_app.services.idempotency.answer_once"
# (project id, user id) -> dict: what a user has used, for the user's configuration.
AGENTLEDGER_USAGE_STATS_FUNCTION = "history_app.selectors.users.usage_stats_of_user"
# (primary keys of sessions) -> {primary key: (last number, count)}: the messages of those sessions that have any.
AGENTLEDGER_NUMBERS_FUNCTION = "history_app.selectors.numbering.numbers_of_sessions"
# (job id): tells the workers, after a commit, that there is a job; losing it loses nothing.
AGENTLEDGER_WAKE_FUNCTION: str | None = "config.waking.wake"
# (PeriodicTask, now) -> datetime | None: when a scheduled entry runs next.
AGENTLEDGER_NEXT_RUN_FUNCTION = "config.schedule_runs.entry_next_run"
# (row, caller, now) -> Job: runs a scheduled entry at once.
AGENTLEDGER_RUN_NOW_FUNCTION = "config.schedule_runs.entry_run_now"
