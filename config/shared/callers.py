"""Who is asking: the one value that every queryset is scoped by."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller of the system: an API key, a member of staff, or the system itself.

    `project_ids` are the projects whose rows the caller may see (None means every project), `project_id` is the
    project that its writes go to, and `can_see_contents` is False for roles that see contents masked.
    """

    kind: Literal["key", "staff", "system"]
    name: str
    role: str
    project_ids: frozenset[int] | None
    project_id: int | None
    can_see_contents: bool = True

    def may_see(self, project_id: int) -> bool:
        """Return whether rows of this project are the caller's to see."""
        return self.project_ids is None or project_id in self.project_ids


SYSTEM = Caller(kind="system", name="system", role="admin", project_ids=None, project_id=None)
