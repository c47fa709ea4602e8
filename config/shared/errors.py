"""The one family of errors that services raise; doors translate them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of the input: a JSON pointer to the place and a sentence that says what is wrong."""

    pointer: str
    detail: str


class LedgerError(Exception):
    """Base of every error that a service raises on purpose."""


class InvalidInput(LedgerError):
    """The input breaks a rule; `errors` names each place."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors))
        self.errors = errors

    @classmethod
    def at(cls, pointer: str, detail: str) -> "InvalidInput":
        """Return the error for one single place."""
        return cls([FieldError(pointer, detail)])


class NotFound(LedgerError):
    """The thing is not there, or not the caller's: both look the same."""


class Forbidden(LedgerError):
    """The caller may see the thing but not do this to it."""


class Conflict(LedgerError):
    """The request contradicts what is stored."""


class FencedOff(Conflict):
    """The caller's lease is not the newest one any more; `newest` is the fencing token of the one that is."""

    def __init__(self, newest: int) -> None:
        super().__init__(f"This lease is over: the newest fencing token is {newest}. Another agent may be at work.")
        self.newest = newest


class StaleVersion(LedgerError):
    """The caller's version is not the stored one any more."""

    def __init__(self, current: int) -> None:
        super().__init__(f"The current version is {current}.")
        self.current = current


class VersionRequired(LedgerError):
    """The resource changes only with a stated version."""


class TooLarge(LedgerError):
    """The input is over a limit that a setting states."""


class Unavailable(LedgerError):
    """A store that is needed is away; the caller may try again after `retry_after` seconds."""

    def __init__(self, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class StorageError(LedgerError):
    """A store could not do what was asked (document 004)."""


class StorageNotFoundError(StorageError, NotFound):
    """What was to be changed or deleted is not in the store (document 004)."""
