"""A served AgentLedger on the database that the tests run on, with clients that write to it and listen to it."""

import http.client
import json
import os
import threading
import uuid
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.db import connection

from tests.config.served import Served, manage
from tests.history_app.event_streams import Event, parsed

PATIENCE_SECONDS = 60


class Ledger:
    """One served AgentLedger. On PostgreSQL and MariaDB it has a database of its own, beside the one of the tests."""

    def __init__(self, folder: Path, **settings: str):
        self.folder = folder
        self._database = None if connection.vendor == "sqlite" else f"al_served_{uuid.uuid4().hex[:12]}"
        if self._database:
            self._administer(f"CREATE DATABASE {self._database}{self._charset()}")
            settings |= {"DATABASE_URL": self._url()}
            settings |= {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}
        self.settings = settings
        self.served = Served(folder, "--web-only", "--workers", "1", **settings)
        self.address = urlsplit(self.served.ready())
        self.owner = self._first_key()

    def _charset(self) -> str:
        return " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_nopad_ci" if connection.vendor == "mysql" else ""

    def _url(self) -> str:
        found = connection.settings_dict
        scheme = "postgres" if connection.vendor == "postgresql" else "mysql"
        password = f":{quote(found['PASSWORD'], safe='')}" if found["PASSWORD"] else ""
        return f"{scheme}://{found['USER']}{password}@{found['HOST']}:{found['PORT']}/{self._database}"

    def _administer(self, statement: str) -> None:
        with connection.creation._nodb_cursor() as cursor:
            cursor.execute(statement)

    def key(self, name: str, role: str) -> str:
        """Make an API key as the owner, and return it."""
        status, made = self.ask("POST", "/api/api-keys/", self.owner, {"name": name, "role": role})
        assert status == 201, made
        return made["key"]

    def _first_key(self) -> str:
        done = manage(self.folder, "api_key", "create", "owner", "--role", "admin", "--json", **self.settings)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["key"]

    def ask(self, method: str, path: str, key: str, body=None) -> tuple[int, dict]:
        """Send one request and return the status and the JSON of its answer."""
        client = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=PATIENCE_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            client.request(method, path, None if body is None else json.dumps(body), headers)
            answer = client.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
        finally:
            client.close()

    def record(self, key: str, *records: dict) -> None:
        """Record, and see that all of it is taken."""
        status, answer = self.ask("POST", "/api/records/", key, list(records))
        assert (status, answer["rejected"]) == (200, []), answer

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self.served.kill_all()
        if self._database:
            self._administer(f"DROP DATABASE {self._database}")


class Connection:
    """One open stream of events."""

    def __init__(self, ledger: Ledger, path: str, key: str, position: str = ""):
        address = ledger.address
        self._client = http.client.HTTPConnection(address.hostname, address.port, timeout=PATIENCE_SECONDS)
        headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": position} if position else {})
        self._client.request("GET", path, headers=headers)
        self._socket = self._client.sock
        self._answer = self._client.getresponse()
        self.status = self._answer.status
        self.headers = self._answer.headers

    def events(self):
        """Yield the events as they come, to the orderly end of the stream."""
        return parsed(line.decode().rstrip("\n") for line in iter(self._answer.readline, b""))

    def close(self) -> None:
        """Hang up without a word."""
        self._socket.close()
        self._answer.close()
        self._client.close()


class Listener(threading.Thread):
    """Reads one stream to its end, beside the test; `is_over` says that the server ended it in good order."""

    def __init__(self, ledger: Ledger, path: str, key: str, position: str = ""):
        super().__init__(daemon=True)
        self.connection = Connection(ledger, path, key, position)
        assert self.connection.status == 200, self.connection.status
        self.events: list[Event] = []
        self.is_over = False
        self.start()

    def run(self) -> None:
        """Collect what comes."""
        try:
            for event in self.connection.events():
                self.events.append(event)
            self.is_over = True
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            # The test has hung up, or the server was killed.
            return

    def heard(self) -> list[tuple[str, str]]:
        """Return the types and ids of the records so far."""
        return [event.key for event in list(self.events) if event.data and "record_id" in event.data]

    def position(self) -> str:
        """Return the last id that came."""
        return next((event.id for event in reversed(self.events) if event.id), "")
