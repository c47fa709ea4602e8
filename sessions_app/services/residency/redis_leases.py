"""Leases in Redis: a hash each, and for every project a sorted set of sessions by their agents' last heartbeat.

Redis may lose its memory at any time: the newest token of each session is in the database, so that a lease which is
gone here never comes back with a token that somebody else may hold.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from heapq import nlargest
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.shared.errors import Unavailable
from sessions_app.services.residency.leases import Lease, Projects

logger = structlog.get_logger(__name__)

PATIENCE_SECONDS = 1
RETRY_AFTER_SECONDS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# A token that comes late finds the lease of a newer one, and changes nothing.
_PUT = """
local old = redis.call('HMGET', KEYS[1], 'fence', 'agent', 'host', 'since')
if old[1] and tonumber(old[1]) > tonumber(ARGV[1]) then return redis.call('HGETALL', KEYS[1]) end
local since, beat = ARGV[4], ARGV[5]
if old[1] and old[2] == ARGV[2] and old[3] == ARGV[3] then since = old[4] end
if tonumber(beat) < tonumber(since) then beat = since end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'agent', ARGV[2], 'host', ARGV[3], 'since', since, 'beat', beat)
redis.call('ZADD', KEYS[2], beat, ARGV[6])
redis.call('SADD', KEYS[3], ARGV[7])
return redis.call('HGETALL', KEYS[1])
"""
_RENEW = """
local old = redis.call('HMGET', KEYS[1], 'fence', 'since')
if old[1] ~= ARGV[1] then return {} end
local beat = ARGV[3]
if tonumber(beat) < tonumber(old[2]) then beat = old[2] end
redis.call('HSET', KEYS[1], 'host', ARGV[2], 'beat', beat)
redis.call('ZADD', KEYS[2], beat, ARGV[4])
return redis.call('HGETALL', KEYS[1])
"""
_RELEASE = """
if ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
return redis.call('DEL', KEYS[1])
"""
_RELEASE_IDLE = """
local idle = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, name in ipairs(idle) do
    redis.call('DEL', ARGV[3] .. name)
    redis.call('ZREM', KEYS[1], name)
end
return idle
"""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Method = Callable[Concatenate["RedisLeases", Parameters], Result]


def _honest(method: Method[Parameters, Result]) -> Method[Parameters, Result]:
    """Say that residency is away when Redis is, within PATIENCE_SECONDS."""

    @wraps(method)
    def told(self: "RedisLeases", *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return method(self, *args, **kwargs)
        except redis.RedisError as error:
            logger.warning("residency_store_away", error=type(error).__name__)
            raise Unavailable("The store of residency is away.", RETRY_AFTER_SECONDS) from error

    return told


class RedisLeases:
    """Every change is one script, so that nobody sees half of it."""

    is_transactional = False

    def __init__(self, url: str, prefix: str) -> None:
        waits = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
        self._redis: Any = redis.Redis.from_url(
            url, decode_responses=True, max_connections=20, retry=Retry(NoBackoff(), 1), **waits
        )
        self._prefix = prefix
        self._put, self._renew, self._release, self._release_idle = (
            self._redis.register_script(text) for text in (_PUT, _RENEW, _RELEASE, _RELEASE_IDLE)
        )

    @_honest
    def put(self, lease: Lease) -> Lease:
        """Store the lease in the place of any older one."""
        keys = [*self._keys(lease.session_pk, lease.project_id), self._prefix + "projects"]
        moments = [_number(lease.resident_since), _number(lease.heartbeat_at)]
        values: list[Any] = [lease.fence, lease.agent_id, lease.host, *moments, lease.session_pk, lease.project_id]
        return _lease(lease.session_pk, lease.project_id, _pairs(self._put(keys=keys, args=values)))

    @_honest
    def renew(self, *, session_pk: int, project_id: int, fence: int, host: str, now: datetime) -> Lease | None:
        """Note a heartbeat of the lease with this token."""
        values: list[Any] = [fence, host, _number(now), session_pk]
        found = _pairs(self._renew(keys=self._keys(session_pk, project_id), args=values))
        return _lease(session_pk, project_id, found) if found else None

    @_honest
    def release(self, *, session_pk: int, project_id: int, fence: int | None) -> bool:
        """End the session's lease, or only the one with this token."""
        values: list[Any] = ["" if fence is None else fence, session_pk]
        return bool(self._release(keys=self._keys(session_pk, project_id), args=values))

    @_honest
    def release_idle(self, *, before: datetime, projects: Projects, limit: int) -> list[int]:
        """End leases that are idle."""
        released: list[int] = []
        for project in self._projects(projects):
            if len(released) < limit:
                values: list[Any] = [_number(before), limit - len(released), self._prefix + "lease:"]
                released += map(int, self._release_idle(keys=[self._beats(project)], args=values))
        return released

    @_honest
    def counts(self, *, before: datetime, projects: Projects) -> tuple[int, int]:
        """Count all, and the idle ones."""
        sets = [self._beats(project) for project in self._projects(projects)]
        with self._redis.pipeline(transaction=False) as pipe:
            for beats in sets:
                pipe.zcard(beats).zcount(beats, "-inf", _number(before))
            counted = pipe.execute()
        return sum(counted[::2]), sum(counted[1::2])

    @_honest
    def newest(self, *, projects: Projects, limit: int) -> list[Lease]:
        """Return those with the newest heartbeats."""
        held: list[tuple[float, int, int]] = []
        for project in self._projects(projects):
            last = self._redis.zrevrange(self._beats(project), 0, limit - 1, withscores=True)
            held += [(beat, int(pk), project) for pk, beat in last]
        chosen = nlargest(limit, held)
        with self._redis.pipeline(transaction=False) as pipe:
            for _beat, pk, _project in chosen:
                pipe.hgetall(self._lease_key(pk))
            found = pipe.execute()
        # A lease may have ended between the two looks.
        return [_lease(pk, project, each) for (_beat, pk, project), each in zip(chosen, found, strict=True) if each]

    def _projects(self, projects: Projects) -> list[int]:
        known = self._redis.smembers(self._prefix + "projects") if projects is None else projects
        return sorted(int(project) for project in known)

    def _lease_key(self, session_pk: int) -> str:
        return f"{self._prefix}lease:{session_pk}"

    def _beats(self, project_id: int) -> str:
        return f"{self._prefix}beats:{project_id}"

    def _keys(self, session_pk: int, project_id: int) -> list[str]:
        return [self._lease_key(session_pk), self._beats(project_id)]


def _pairs(flat: Iterable[str]) -> dict[str, str]:
    values = iter(flat)
    return dict(zip(values, values, strict=True))


def _number(moment: datetime) -> int:
    """Return a moment in microseconds, which a sorted set's floats hold exactly until the year 2255."""
    return (moment - _EPOCH) // _MICROSECOND


def _lease(session_pk: int, project_id: int, found: dict[str, str]) -> Lease:
    return Lease(
        session_pk=session_pk,
        project_id=project_id,
        agent_id=found["agent"],
        host=found["host"],
        fence=int(found["fence"]),
        resident_since=_EPOCH + int(found["since"]) * _MICROSECOND,
        heartbeat_at=_EPOCH + int(found["beat"]) * _MICROSECOND,
    )
