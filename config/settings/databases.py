"""The database (SQLite in DATA_DIR unless DATABASE_URL says otherwise) and the cache."""

from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry

from config.databases import database_settings
from config.env import data_dir, env

DATA_DIR = data_dir()
QUERY_TIMEOUT = env.float("QUERY_TIMEOUT", default=10.0)
CONNECT_TIMEOUT = env.int("CONNECT_TIMEOUT", default=30)
DATABASE_URL = env.str("DATABASE_URL", default="") or f"sqlite:///{DATA_DIR / 'agentledger.sqlite3'}"
REDIS_URL = env.str("REDIS_URL", default="")
# What the keys of agents' leases begin with in Redis.
RESIDENCY_PREFIX = "agentledger:residency:"

# Off for PgBouncer in transaction mode without max_prepared_statements.
PREPARED_STATEMENTS = env.bool("PREPARED_STATEMENTS", default=True)

_DEFAULT = env.db_url_config(DATABASE_URL)
DATABASES = {
    "default": database_settings(_DEFAULT, QUERY_TIMEOUT, CONNECT_TIMEOUT, prepared=PREPARED_STATEMENTS),
}
EMBEDDED_DATABASE = DATABASES["default"]["ENGINE"].endswith("sqlite3")

# How long what was read of a session is kept in the cache, in seconds; 0: not at all.
SESSION_CACHE_TTL = env.int("SESSION_CACHE_TTL", default=60)
# A cache that does not answer must not keep anybody waiting: the database answers in its place.
CACHE_PATIENCE_SECONDS = 0.25


def cache_settings(redis_url: str) -> dict[str, Any]:
    """Return the entry of CACHES: Redis with short waits and without tries anew, or this process's memory."""
    if not redis_url:
        memory = "django.core.cache.backends.locmem.LocMemCache"
        return {"BACKEND": memory, "OPTIONS": {"MAX_ENTRIES": 2000}}
    patience = {"socket_timeout": CACHE_PATIENCE_SECONDS, "socket_connect_timeout": CACHE_PATIENCE_SECONDS}
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": redis_url,
        "KEY_PREFIX": "agentledger",
        "OPTIONS": {**patience, "retry": Retry(NoBackoff(), 0)},
    }


CACHES = {"default": cache_settings(REDIS_URL)}

# MariaDB makes an index with a condition for all rows; it serves the same queries.
SILENCED_SYSTEM_CHECKS = ["models.W037"]
