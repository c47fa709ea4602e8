"""The lock of a session: taken in one order by everybody, so that nobody waits in a circle."""

from sessions_app.models import Session, SessionActivity


def session_locked(*, pk: int) -> Session | None:
    """Return the session as it is now, held until the transaction ends; None when it is gone.

    The activity row comes first, as it does for those who append: their facts refer to the session's own row, which
    is therefore always the second one.
    """
    list(SessionActivity.objects.select_for_update().filter(pk=pk))
    locked: Session | None = Session.objects.select_for_update().filter(pk=pk).first()
    return locked
