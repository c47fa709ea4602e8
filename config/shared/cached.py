"""The cache, for values that the database can always tell: while it is away they are asked there, and nobody waits."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)

Result = TypeVar("Result")

# After a failure the cache is left alone for so long: each try may take as long as its time-outs.
PAUSE_SECONDS = 5.0


class Away:
    """Until when the cache of this process counts as away, on the monotonic clock."""

    until = 0.0


def cached_value(key: str) -> Any:
    """Return what is cached under the key; None where nothing is, and while the cache is away."""
    return _guarded(lambda: cache.get(key))


def cache_value(key: str, value: Any, seconds: int) -> None:
    """Cache a value for so long, if the cache is there."""
    _guarded(lambda: cache.set(key, value, seconds))


def _guarded(call: Callable[[], Result]) -> Result | None:
    if time.monotonic() < Away.until:
        return None
    try:
        return call()
    except (RedisError, OSError) as error:
        Away.until = time.monotonic() + PAUSE_SECONDS
        logger.warning("cache_away", error=type(error).__name__, pause=PAUSE_SECONDS)
        return None
