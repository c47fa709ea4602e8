"""Kinds of jobs: the registry that each app's `jobs.py` fills, and what a handler is given."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from config.shared.errors import NotFound

DEFAULT_BACK_OFF_SECONDS = 10
DEFAULT_LIMIT_SECONDS = 3600


class JobFailed(Exception):
    """The job cannot be done, and trying again would change nothing: it fails at once."""


class JobCancelled(Exception):
    """Somebody asked to stop the job: raised in its handler, at the next look."""


class LeaseLost(Exception):
    """The job is not this run's any more: another worker has it, or it is over. Nothing of this run may be stored."""


class JobRun(Protocol):
    """One attempt at a job, as its handler sees it. `asked_by` is kind and name of the caller, such as `key: ci`."""

    job_id: int
    project_id: int | None
    asked_by: str
    attempt: int
    fence: int
    now: datetime

    def progress(self, *, done: int | None = None, total: int | None = None, text: str = "") -> None:
        """Say how far the job is. Raises JobCancelled or LeaseLost when it is to stop."""

    def check(self) -> None:
        """Look whether the job is to stop; cheap enough for every turn of a loop. Raises JobCancelled, LeaseLost."""

    def guard(self) -> None:
        """Hold the job within the handler's own transaction, so that a stale run stores nothing. Raises LeaseLost."""


Handler = Callable[..., Any]


@dataclass(frozen=True)
class JobKind:
    """One kind of job.

    `handler` is called as `handler(run, **arguments)`, and what it returns (JSON) is kept as the job's result. With
    `atomic` it runs in one transaction with the end of the job, so that its effects in the database happen exactly
    once; without it the handler has to be safe to run again. `attempts` None is the setting JOB_ATTEMPTS. The pause
    before the next attempt is `back_off` seconds at first and doubles. A run longer than `limit` seconds loses its
    lease. `keep_hours` None keeps finished jobs for JOB_DAYS.
    """

    name: str
    handler: Handler
    atomic: bool = False
    attempts: int | None = None
    back_off: float = DEFAULT_BACK_OFF_SECONDS
    limit: float = DEFAULT_LIMIT_SECONDS
    keep_hours: int | None = None


_KINDS: dict[str, JobKind] = {}


def job(name: str, **options: Any) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of a kind; `options` are those of JobKind."""

    def register(handler: Handler) -> Handler:
        known = _KINDS.get(name)
        if known is not None and known.handler.__qualname__ != handler.__qualname__:
            raise ValueError(f"Two handlers want the kind {name}.")
        _KINDS[name] = JobKind(name=name, handler=handler, **options)
        return handler

    return register


def job_kind(name: str) -> JobKind:
    """Return the kind of this name. Raises NotFound when this version of the code has none."""
    kind = _KINDS.get(name)
    if kind is None:
        raise NotFound(f"There is no kind of job named {name}.")
    return kind


def job_kinds() -> list[JobKind]:
    """Return every kind, by name."""
    return [_KINDS[name] for name in sorted(_KINDS)]
