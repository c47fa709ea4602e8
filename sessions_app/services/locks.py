"""The lock of a session: taken in one order by everybody, so that nobody waits in a circle."""

from config.shared.errors import FencedOff
from sessions_app.models import Session, SessionActivity, SessionDeletion


def session_locked(*, pk: int, fence: int | None = None) -> Session | None:
    """Return the session as it is now, held until the transaction ends; None when it is gone.

    With `fence`, the token of the caller's lease, it raises FencedOff unless that lease is the newest one: the lock
    is what makes this hold until the caller's write is committed. The activity row comes first, as it does for those
    who append: their facts refer to the session's own row, which is therefore always the second one.
    """
    fences = SessionActivity.objects.select_for_update().filter(pk=pk).values_list("last_fence", flat=True)
    newest = next(iter(fences), None)
    locked: Session | None = Session.objects.select_for_update().filter(pk=pk).first()
    if locked is None or (newest is None and SessionDeletion.objects.filter(pk=pk).exists()):
        return None
    fence_check(newest=newest or 0, fence=fence)
    return locked


def fence_check(*, newest: int, fence: int | None) -> None:
    """Raise FencedOff unless `fence` is the newest token, or None: who states no token is not held to one."""
    if fence is not None and fence != newest:
        raise FencedOff(newest)
