"""Reads a living Redis by its URL: with SCAN and commands that only read, a bounded number of keys at a time."""

from collections.abc import Iterator
from typing import Any

import redis
from redis.exceptions import RedisError

from backups_app.legacy.blueplan.dumps import STRING, TABLE, typed_entry
from backups_app.legacy.blueplan.entries import Entry, category_of
from backups_app.legacy.files import Unreadable
from backups_app.legacy.locations import URL
from backups_app.legacy.types import NO_SERVER, Finding, Level, Place, Reading

KEYS_AT_ONCE = 200
SECONDS_TO_ANSWER = 30.0
SECONDS_TO_CONNECT = 5.0
_LENGTH = {STRING: "STRLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD", "hash": "HLEN"}
# An element of a list or hash is reckoned with this many bytes when its whole is held against the bound.
_BYTES_PER_ELEMENT = 64
_CONTENT = {
    STRING: lambda key: ("GET", key),
    "list": lambda key: ("LRANGE", key, 0, -1),
    "set": lambda key: ("SMEMBERS", key),
    "zset": lambda key: ("ZRANGE", key, 0, -1, "WITHSCORES"),  # redis-py makes pairs of it
    "hash": lambda key: ("HGETALL", key),
}


class RedisSource:
    """The keys of one database of a Redis. `count` is how many it had when it was asked first."""

    def __init__(self, url: URL, reading: Reading) -> None:
        """Connect. Raises `Unreadable` where nobody answers, the password is wrong, or the URL is none."""
        self._reading = reading
        self._place = Place(url.shown)
        try:
            self._server = redis.Redis.from_url(
                url.text, socket_timeout=SECONDS_TO_ANSWER, socket_connect_timeout=SECONDS_TO_CONNECT
            )
            self.count = int(self._server.dbsize())  # type: ignore[arg-type]
        except (RedisError, ValueError, OSError) as error:
            raise Unreadable(f"{url.shown} cannot be read: {url.without_secrets(str(error))}") from error
        self._url = url

    def entries(self) -> Iterator[Entry | str]:
        """The keys of the store with their values; of keys that are not the store's their names alone.

        A key that comes or goes meanwhile may be missed, as SCAN has it; one that stays is not. A value that is larger
        than the bound on a document is reported and not read.
        """
        try:
            cursor = 0
            while True:
                cursor, keys = self._server.scan(cursor=cursor, count=KEYS_AT_ONCE)  # type: ignore[misc]
                yield from self._read(keys)
                if cursor == 0:
                    return
        except (RedisError, OSError) as error:
            detail = f"Redis stopped answering: {self._url.without_secrets(str(error))}"
            self._reading.report(Finding(Level.REJECTED, NO_SERVER, self._place, detail, "file"))

    def close(self) -> None:
        """Leave the server."""
        self._server.close()

    def _read(self, keys: list[Any]) -> Iterator[Entry | str]:
        own = []
        for key in keys:
            name = key.decode("utf-8", "replace")
            if category_of(name):
                own.append((key, name))
            else:
                yield name
        kinds = [_word(kind) for kind in self._asked([("TYPE", key) for key, _name in own])]
        known = [(key, name, kind) for (key, name), kind in zip(own, kinds, strict=True) if kind in _LENGTH]
        lengths = self._asked([(_LENGTH[kind], key) for key, _name, kind in known])
        for (key, name, kind), length in zip(known, lengths, strict=True):
            yield from self._value(key, name, kind, length)

    def _value(self, key: bytes, name: str, kind: str, length: Any) -> Iterator[Entry]:
        place = self._place.at_row(TABLE, name)
        size = length if kind == STRING else length * _BYTES_PER_ELEMENT
        if size > self._reading.limits.document_bytes:
            detail = f"{name!r:.200} is larger than {self._reading.limits.document_bytes} bytes"
            self._reading.report(Finding(Level.REJECTED, "too_large", place, detail, "entry"))
            return
        value: Any = self._asked([_CONTENT[kind](key)])[0]
        if value is None or (not isinstance(value, bytes) and not value):
            return  # It has expired since it was seen.
        if kind == "zset":
            value = _scores(value)
        elif isinstance(value, set):
            value = sorted(value)
        yield typed_entry(name, kind, value, place, self._reading)

    def _asked(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        if not commands:
            return []
        pipeline = self._server.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return list(pipeline.execute())


def _scores(pairs: Any) -> dict[bytes, float]:
    return {member: float(score) for member, score in pairs}


def _word(kind: Any) -> str:
    return kind.decode() if isinstance(kind, bytes) else str(kind)
