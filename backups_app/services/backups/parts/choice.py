"""What is asked for when a part of an archive is to come back, and what becomes of that which is there already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from config.shared.errors import FieldError, InvalidInput
from sessions_app.models import Project

AT_MOST = 100
ID_LENGTH = 255


class Kind(StrEnum):
    """Kinds of parts. Each stands before the id in `session:<id>`; `configs` has no id."""

    SESSION = "session"
    USER = "user"
    PROJECT = "project"
    CONFIGS = "configs"


class OnConflict(StrEnum):
    """What becomes of a thing whose id is taken: it stays out, takes the place, or comes beside it under a new id."""

    SKIP = "skip"
    REPLACE = "replace"
    NEW_ID = "new-id"


@dataclass(frozen=True)
class Asked:
    """One thing that is asked for; `pointer` is where it stands in the request."""

    kind: Kind
    name: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


@dataclass(frozen=True)
class Choice:
    """Which part of an archive comes back, from which of its projects, and where to.

    An empty `from_project` means wherever it stands, an empty `project` the project of the same slug. `session_id` is
    another id for the one session that is asked for.
    """

    only: tuple[Asked, ...]
    on_conflict: OnConflict = OnConflict.SKIP
    from_project: str = ""
    project: str = ""
    session_id: str = ""

    def told(self) -> dict[str, Any]:
        """Return it as `choice_of` takes it, in what JSON can hold."""
        into = {"project": self.project, "session_id": self.session_id}
        told = {
            "only": [str(asked) for asked in self.only],
            "on_conflict": str(self.on_conflict),
            "from_project": self.from_project,
            "into": {name: value for name, value in into.items() if value},
        }
        return {name: value for name, value in told.items() if value}


def choice_of(
    *,
    only: Sequence[str],
    on_conflict: str = OnConflict.SKIP,
    from_project: str = "",
    into: Mapping[str, str] | None = None,
) -> Choice:
    """Return what is asked for. Raises InvalidInput, which names each place that is wrong."""
    into = into or {}
    errors: list[FieldError] = []
    asked = [_asked(text, f"/only/{number}", errors) for number, text in enumerate(only)]
    if not 1 <= len(only) <= AT_MOST:
        errors.append(FieldError("/only", f"Name 1 to {AT_MOST} things."))
    if on_conflict not in list(OnConflict):
        errors.append(FieldError("/on_conflict", f"It is one of {', '.join(OnConflict)}."))
    errors += _errors_of_into(into, asked)
    if errors:
        raise InvalidInput(errors)
    things = tuple(dict.fromkeys(each for each in asked if each))
    return Choice(things, OnConflict(on_conflict), from_project, into.get("project", ""), into.get("session_id", ""))


def _asked(text: str, pointer: str, errors: list[FieldError]) -> Asked | None:
    kind, _colon, name = text.partition(":")
    if kind in list(Kind) and bool(name) == (kind != Kind.CONFIGS) and len(name) <= ID_LENGTH:
        return Asked(Kind(kind), name, pointer)
    errors.append(FieldError(pointer, "It is session:<id>, user:<id>, project:<slug> or configs."))
    return None


def _errors_of_into(into: Mapping[str, str], asked: Sequence[Asked | None]) -> list[FieldError]:
    errors = [
        FieldError(f"/into/{name}", "There is no such field.") for name in into if name not in ("project", "session_id")
    ]
    if (slug := into.get("project")) and not Project.objects.filter(slug=slug).exists():
        errors.append(FieldError("/into/project", "There is no project of this slug."))
    if session_id := into.get("session_id"):
        if [each.kind for each in asked if each] != [Kind.SESSION]:
            errors.append(FieldError("/into/session_id", "It is for one session alone."))
        elif len(session_id) > ID_LENGTH:
            errors.append(FieldError("/into/session_id", f"At most {ID_LENGTH} characters."))
    return errors
