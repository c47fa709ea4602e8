"""Documents in Redis: one key each, an index of keys by namespace, and Redis's own expiry."""

import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.shared.errors import Conflict, Unavailable
from config.shared.fields import dump_json
from sessions_app.services.documents.stored import Decide, Found, Place, StoredDocument

logger = structlog.get_logger(__name__)

ATTEMPTS = 50
CONNECTIONS = 20
PATIENCE_SECONDS = 2.0
RETRY_AFTER_SECONDS = 5
KEYS_PER_LOOK = 500
_AFTER_EVERY_KEY = b"\xff"

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Method = Callable[Concatenate["RedisDocuments", Parameters], Result]


def _honest(method: Method[Parameters, Result]) -> Method[Parameters, Result]:
    """Say that the store is away when Redis is, within PATIENCE_SECONDS."""

    @wraps(method)
    def told(self: "RedisDocuments", *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return method(self, *args, **kwargs)
        except redis.RedisError as error:
            logger.warning("document_store_away", error=type(error).__name__)
            raise Unavailable("The store of these documents is away.", RETRY_AFTER_SECONDS) from error

    return told


@lru_cache(maxsize=8)
def redis_documents(url: str, prefix: str) -> "RedisDocuments":
    """Return the backend of an address, with one pool of connections a process."""
    return RedisDocuments(url, prefix)


class RedisDocuments:
    """A transaction watches its keys: who finds one changed looks again.

    All keys of a project carry the same hash tag, so that a cluster keeps them, and their transactions, in one place.
    """

    def __init__(self, url: str, prefix: str) -> None:
        waits = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
        pool = redis.BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=PATIENCE_SECONDS, retry=Retry(NoBackoff(), 1), **waits
        )
        self._redis: Any = redis.Redis(connection_pool=pool)
        self._prefix = prefix

    def _name(self, project_id: int, *parts: str) -> str:
        return f"{self._prefix}{{{project_id}}}:{'/'.join(parts)}"

    @_honest
    def find(self, project_id: int, place: Place) -> StoredDocument | None:
        """Return the document of a place."""
        return _read(self._redis.get(self._name(project_id, "doc", *place)))

    @_honest
    def change(self, project_id: int, places: list[Place], decide: Decide) -> None:
        """Watch the keys, decide, write by MULTI and EXEC."""
        names = [self._name(project_id, "doc", *place) for place in places]
        for attempt in range(ATTEMPTS):
            with self._redis.pipeline(transaction=True) as pipe:
                try:
                    pipe.watch(*names)
                    found = dict(zip(places, map(_read, pipe.mget(names)), strict=True))
                    decided = decide(dict(found))
                    pipe.multi()
                    self._write(pipe, project_id, found, decided)
                    pipe.execute()
                    return
                except redis.WatchError:
                    # Waits of different lengths part those who watch the same keys.
                    time.sleep(random.uniform(0, 0.002 * min(attempt + 1, 20)))  # noqa: S311
        raise Conflict("Too many writers change these documents at once.")

    def _write(self, pipe: Any, project_id: int, found: Found, decided: Found) -> None:
        pipe.sadd(self._prefix + "projects", project_id)
        ends = self._name(project_id, "ends")
        for place, document in decided.items():
            if document == found[place]:
                continue
            name, index = self._name(project_id, "doc", *place), self._name(project_id, "keys", place[0])
            member = "/".join(place)
            if document is None:
                pipe.delete(name)
                pipe.zrem(index, place[1])
                pipe.zrem(ends, member)
                continue
            until = None if document.expires_at is None else int(document.expires_at.timestamp() * 1000)
            pipe.set(name, dump_json(document.told()), pxat=until)
            pipe.zadd(index, {place[1]: 0})
            if until is None:
                pipe.zrem(ends, member)
            else:
                pipe.zadd(ends, {member: until})

    @_honest
    def page(
        self, project_id: int, namespace: str, prefix: str, *, after: str, limit: int, now: datetime
    ) -> list[StoredDocument]:
        """Return living documents by the index; keys whose document has ended are passed over."""
        found: list[StoredDocument] = []
        for some in self._looks(project_id, namespace, prefix, after, now):
            found.extend(some[: limit - len(found)])
            if len(found) >= limit:
                break
        return found

    @_honest
    def count(self, project_id: int, namespace: str, prefix: str, now: datetime) -> int:
        """Count living documents, which reads them."""
        return sum(len(some) for some in self._looks(project_id, namespace, prefix, "", now))

    def _looks(
        self, project_id: int, namespace: str, prefix: str, after: str, now: datetime
    ) -> Iterator[list[StoredDocument]]:
        index = self._name(project_id, "keys", namespace)
        until = b"[" + prefix.encode() + _AFTER_EVERY_KEY if prefix else b"+"
        least = b"(" + after.encode() if after >= prefix and after else b"[" + prefix.encode()
        while keys := self._redis.zrangebylex(index, least, until, start=0, num=KEYS_PER_LOOK):
            names = [self._name(project_id, "doc", namespace, key.decode()) for key in keys]
            documents = map(_read, self._redis.mget(names))
            yield [document for document in documents if document is not None and document.is_alive(now)]
            least = b"(" + keys[-1]

    @_honest
    def prune(self, now: datetime, limit: int) -> int:
        """Take the keys of documents that Redis has ended out of the index."""
        removed = 0
        for project in sorted(map(int, self._redis.smembers(self._prefix + "projects"))):
            ends, latest = self._name(project, "ends"), int(now.timestamp() * 1000)
            for member in self._redis.zrangebyscore(ends, "-inf", latest, start=0, num=max(0, limit - removed)):
                namespace, _slash, key = member.decode().partition("/")
                removed += self._forget(project, (namespace, key), now)
        return removed

    def _forget(self, project_id: int, place: Place, now: datetime) -> bool:
        """Take one ended document out, unless it was saved anew in between."""
        name = self._name(project_id, "doc", *place)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(name)
            stored = _read(pipe.get(name))
            if stored is not None and stored.is_alive(now):
                return False
            pipe.multi()
            pipe.delete(name)
            pipe.zrem(self._name(project_id, "keys", place[0]), place[1])
            pipe.zrem(self._name(project_id, "ends"), "/".join(place))
            try:
                pipe.execute()
            except redis.WatchError:
                return False
        return True


def _read(raw: bytes | None) -> StoredDocument | None:
    return None if raw is None else StoredDocument.read(json.loads(raw))
