"""Groups of staff, with the Django permissions that give them in the admin the reach of their role in the API."""

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission

from config.shared.staff import ROLE_OF_GROUP

# By the rule of the house, the apps of the product end so; those of others (logins, schedules) are for administrators.
_OWN_APP = "_app"
# Nobody edits these by hand; the audit may be read by those who are to read it.
_AUDIT = frozenset({"auditentry", "auditchain"})
# Who may enter, and what they brought that is secret: for administrators alone.
# An archive holds all of it.
_SECRET = frozenset({"apikey", "providerkey", "staffuser", "project", "keptanswer", "backup", "restore"})
# Settings and definitions, which operators keep and agents' supporters only read.
_SETTINGS = frozenset({"systemconfig", "configversion", "configsnapshot", "configsnapshotentry"})
_IMPORTS = frozenset({"importrun", "importfinding", "importorigin"})
_KEPT = _SETTINGS | _IMPORTS | {"userconfig", "workflow", "knowledgesource", "externaldeletion"}


def groups_ensure(*, app_config: AppConfig) -> None:
    """Make the five groups and give each its permissions on the app's models; what staff added by hand stays."""
    granted = Permission.objects.filter(content_type__app_label=app_config.label)
    permissions = list(granted.select_related("content_type"))
    for name, role in ROLE_OF_GROUP.items():
        group, _created = Group.objects.get_or_create(name=name)
        group.permissions.add(*[each for each in permissions if _grants(role, each)])


def _grants(role: str, permission: Permission) -> bool:
    verb, _, model = permission.codename.partition("_")
    if model in _AUDIT:
        return verb == "view" and role in ("auditor", "admin")
    if role == "admin":
        return True
    if model in _SECRET or not permission.content_type.app_label.endswith(_OWN_APP):
        return False
    if verb == "view":
        return True
    return role == "operator" or (role == "agent" and verb in ("add", "change") and model not in _KEPT)
