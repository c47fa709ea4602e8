"""The first staff login of a fresh installation."""

import secrets

from django.db import IntegrityError, transaction

from sessions_app.models import StaffUser

FIRST_LOGIN = "admin"
# 24 characters of 6 bits: beyond guessing, and short enough to type once.
PASSWORD_BYTES = 18


def first_login_create() -> tuple[StaffUser, str] | None:
    """Make the superuser `admin` with a random password where there is no staff user at all.

    Returns the user and the password, which is known nowhere else and must be shown now, or None when there is
    somebody already (also when another process was first).
    """
    if StaffUser.objects.exists():
        return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    try:
        with transaction.atomic():
            return StaffUser.objects.create_superuser(username=FIRST_LOGIN, password=password), password
    except IntegrityError:
        return None
