"""Makes settings of the keys `config:*`, and of the backups of them under `config_backup:*`."""

import hashlib

from backups_app.legacy.blueplan.entries import BadValue, report_repairs, value_of
from backups_app.legacy.blueplan.shelf import Version
from backups_app.legacy.fields import NAME_LENGTH
from backups_app.legacy.secrets import split_secrets
from backups_app.legacy.types import Finding, LegacyConfig, Level, Reading

# Names of the old system's settings are as common as `system`: they are kept apart from those of others.
PREFIXES = {"config": "blueplan.", "config_backup": "blueplan.backups."}
SECTION = "blueplan"


def config_of(category: str, versions: list[Version], reading: Reading) -> LegacyConfig | None:
    """The setting under a key, with its secrets taken out."""
    version = versions[0]
    try:
        value, repairs = value_of(version.data, reading.limits.depth)
    except BadValue as error:
        reading.report(Finding(Level.REJECTED, error.code, version.place, str(error), "config"))
        return None
    report_repairs(repairs, version.place, "config", reading)
    for other in versions[1:]:
        detail = f"{version.place} has another value of {category}:{version.rest!r:.300}, which counts"
        reading.report(Finding(Level.CONFLICT, "key_differs", other.place, detail, "config"))
    masked, secrets = split_secrets(value, version.rest)
    key = f"{PREFIXES[category]}{version.rest}"
    if len(key) > NAME_LENGTH:
        key = f"{PREFIXES[category]}{hashlib.sha256(version.rest.encode()).hexdigest()}"
    return LegacyConfig(key, SECTION, masked, version.place, secrets, repaired=bool(repairs))
