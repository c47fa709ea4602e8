"""Bringing a part into the living store, table by table, within one transaction that also compares what was written."""

# Every name that is put into a statement comes from a model; values are parameters.
# ruff: noqa: S608

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from backups_app.services.backups.parts.belongings import Named, named_of, owned, tables_of_parts
from backups_app.services.backups.parts.choice import Choice
from backups_app.services.backups.parts.meeting import Outcome, part_found_again
from backups_app.services.backups.parts.passing import (
    Passed,
    coming,
    rows_exchange,
    rows_insert,
    targets,
    tasks_found_again,
)
from backups_app.services.backups.parts.sealing import keys_seal_anew, settings_bring
from backups_app.services.backups.parts.selecting import marks
from backups_app.services.backups.snapshots import Snapshot, snapshot_within
from config.shared.callers import Caller
from history_app.models import Task
from sessions_app.models import (
    Project,
    ProviderKey,
    Session,
    SessionActivity,
    SystemConfig,
    UserConfig,
    WorkflowRun,
)
from sessions_app.services.configs import configs_seed
from sessions_app.services.deletion import session_bury
from sessions_app.services.locks import session_locked

_NEW = f"p.outcome IN ('{Outcome.NEW}', '{Outcome.NEW_ID}')"
_REPLACED = f"p.outcome = '{Outcome.REPLACED}'"


@dataclass
class Bringing:
    """A part on its way into the store that `default` is."""

    raw: sqlite3.Connection
    held: Snapshot
    choice: Choice
    connection: BaseDatabaseWrapper
    caller: Caller
    now: datetime
    tell: Callable[[int, str], None]
    tables: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """Write every table, parents first. Raises Conflict; whatever fails undoes the caller's transaction."""
        for model in tables_of_parts():
            if model is Session:
                runs = self._sessions_give_way()
            if model is not SystemConfig:
                self._table(model)
            if model is Session:
                self._runs_follow(runs)
        # The chain of the audit, which settings write to, is locked last, as everywhere.
        self._told(SystemConfig, settings_bring(self.raw, caller=self.caller, now=self.now))
        for project in targets(self.raw, Project, _NEW):
            configs_seed(project_id=project, now=self.now)

    def _table(self, model: Any) -> None:
        named, holder = named_of(model), owned().get(model)
        if model is ProviderKey:
            self._provider_keys_give_way()
        if holder is not None:
            passed = rows_insert(self.held, model, coming(model))
            self._compared(passed, holder.column, targets(self.raw, holder.related_model, coming(model)))
            return
        if named is not None:
            self._things(named)

    def _things(self, named: Named) -> None:
        # A session that is replaced is buried, and another row stands in its place.
        condition = coming(named.model) if named.model is Session else _NEW
        passed = rows_insert(self.held, named.model, condition)
        part_found_again(self.raw, named, self.choice)
        self._compared(passed, "id", targets(self.raw, named.model, condition))
        if named.model is not Session:
            self._compared(rows_exchange(self.held, named), "id", targets(self.raw, named.model, _REPLACED))

    def _compared(self, passed: Passed, column: str, keys: list[int]) -> None:
        passed.compare(snapshot_within(self.connection), column, keys)
        if passed.model is Task:
            tasks_found_again(self.raw)
        self._told(passed.model, passed.rows)

    def _told(self, model: Any, rows: int) -> None:
        if rows:
            label = model._meta.label_lower
            self.tables[label] = self.tables.get(label, 0) + rows
            self.tell(rows, f"writing {label}")

    def _sessions_give_way(self) -> dict[int, list[int]]:
        """Bury the sessions that are replaced, and return the runs that are in them, by the key of the mark.

        Versions and tokens of leases go on above those that were given out: an agent that still holds one is told.
        """
        runs: dict[int, list[int]] = {}
        replaced = self.raw.execute(
            f"SELECT p.pk, p.target FROM {marks(Session)} p WHERE {_REPLACED} ORDER BY p.target"
        )
        for mark, target in replaced.fetchall():
            session = session_locked(pk=target)
            if session is None:
                # Somebody deleted it since it was looked for.
                self._mark(mark, str(Outcome.NEW), None, None)
                continue
            runs[mark] = list(WorkflowRun.objects.filter(session=target).values_list("pk", flat=True))
            fence = SessionActivity.objects.filter(pk=target).values_list("last_fence", flat=True).first()
            session_bury(session=session, now=self.now)
            self._mark(mark, str(Outcome.REPLACED), session.version, fence or 0)
        return runs

    def _mark(self, mark: int, outcome: str, version: int | None, fence: int | None) -> None:
        self.raw.execute(
            f"UPDATE {marks(Session)} SET target = NULL, outcome = ?, version = ?, fence = ? WHERE pk = ?",
            [outcome, version, fence, mark],
        )

    def _runs_follow(self, runs: dict[int, list[int]]) -> None:
        """Let the runs of a session that was replaced be those of the one in its place."""
        for mark, pks in runs.items():
            (session,) = targets(self.raw, Session, f"p.pk = {mark}")
            WorkflowRun.objects.filter(pk__in=pks).update(session=session)

    def _provider_keys_give_way(self) -> None:
        for user in targets(self.raw, UserConfig, _REPLACED):
            ProviderKey.objects.filter(user_config=user).delete()
        keys_seal_anew(self.raw)
