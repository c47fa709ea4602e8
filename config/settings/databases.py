"""The database (SQLite in DATA_DIR unless DATABASE_URL says otherwise) and the cache."""

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

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# MariaDB makes an index with a condition for all rows; it serves the same queries.
SILENCED_SYSTEM_CHECKS = ["models.W037"]
