"""Versions of rows: the one rule by which a stated version is held against the stored one."""

from config.shared.errors import StaleVersion

ANY_VERSION = 0
NO_VERSION = -1
ABSENT = -2


def version_check(*, current: int | None, expected: int | None) -> None:
    """Raise StaleVersion unless the stored version is the expected one.

    `current` is None where nothing is stored. `expected` is None when the caller stated no version, ANY_VERSION when
    whatever is stored will do as long as something is, NO_VERSION when the caller's tag cannot be any version, and
    ABSENT when the write is meant for the case that nothing is stored yet.
    """
    if expected is None or (expected == ABSENT and current is None):
        return
    if current is None or expected not in (ANY_VERSION, current):
        raise StaleVersion(current or 0)
