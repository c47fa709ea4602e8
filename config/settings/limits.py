"""Sizes and times that the product keeps to, each one a setting of the environment."""

from config.env import env

MAX_BODY_BYTES = env.int("MAX_BODY_BYTES", default=64 * 1024 * 1024)
MAX_RECORD_BYTES = env.int("MAX_RECORD_BYTES", default=8 * 1024 * 1024)
MAX_RECORDS = env.int("MAX_RECORDS", default=100_000)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES

SESSION_TTL = env.int("SESSION_TTL", default=3600)
# How many messages an agent gets that comes back and does not say how many.
HISTORY_WINDOW = env.int("HISTORY_WINDOW", default=100)
MAX_STATE_BYTES = env.int("MAX_STATE_BYTES", default=4 * 1024 * 1024)
# Checkpoints: the last so many, and beyond them every so many-th; 0 keeps all of them, or none beyond the last.
STATE_KEEP_LAST = env.int("STATE_KEEP_LAST", default=50)
STATE_KEEP_EVERY = env.int("STATE_KEEP_EVERY", default=50)
STATE_VERSION_REQUIRED = env.bool("STATE_VERSION_REQUIRED", default=False)
AGENT_IDLE_SECONDS = env.int("AGENT_IDLE_SECONDS", default=1800)
IDEMPOTENCY_HOURS = env.int("IDEMPOTENCY_HOURS", default=24)
CLEANUP_INTERVAL = env.int("CLEANUP_INTERVAL", default=300)

EVENT_CONNECTIONS = env.int("EVENT_CONNECTIONS", default=16)
EVENT_HEARTBEAT = env.float("EVENT_HEARTBEAT", default=15.0)
# How often token usage is rolled up (s); 0: never, and every figure is read from the facts.
ROLLUP_INTERVAL = env.int("ROLLUP_INTERVAL", default=60)
# Seconds between two runs of the job that fills the search index.
SEARCH_FILL_INTERVAL = env.int("SEARCH_FILL_INTERVAL", default=10)
