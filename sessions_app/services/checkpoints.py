"""Checkpoints: which former versions of a state stay, and the pruning of the others."""

from django.conf import settings
from django.db.models import F

from sessions_app.models import SessionState

# How far behind the last ones a write looks for versions to prune. Each write moves one version out of the last ones,
# so this is for a STATE_KEEP_LAST that was made smaller; what lies further back then stays.
WINDOW = 1000


def is_kept(*, version: int, current: int, last: int, every: int) -> bool:
    """Return whether the policy keeps a version: the current one, the last so many before it, and every so many-th.

    `last` 0 keeps all, `every` 0 none beyond the last ones.
    """
    return version >= current - last or not last or bool(every and version % every == 0)


def checkpoints_prune(*, session_pk: int, current: int) -> int:
    """Remove the checkpoints of one session that the settings keep no longer, and return how many.

    It is part of the write that made `current`, under the session's lock, and looks at no more than WINDOW versions.
    """
    last, every = settings.STATE_KEEP_LAST, settings.STATE_KEEP_EVERY
    if not last or current <= last + 1:
        return 0
    old = SessionState.objects.filter(
        session_id=session_pk, version__lt=current - last, version__gte=current - last - WINDOW
    )
    if every:
        old = old.alias(rest=F("version") % every).filter(rest__gt=0)
    # One statement: nothing refers to a version, and no receiver listens to its end.
    return old._raw_delete(old.db)
