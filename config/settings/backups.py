"""Backups: where archives are, who signs them, and for whom they are encrypted."""

from pathlib import Path

from config.env import BASE_DIR, env
from config.generated_secrets import new_backup_signing_key, secret_kept_in
from config.settings.databases import DATA_DIR, EMBEDDED_DATABASE

# Made (mode 0700) when the first archive is written, not at every start: it may be a disk that is mounted late.
BACKUP_DIR = (BASE_DIR / Path(env.str("BACKUP_DIR", default="") or DATA_DIR / "backups").expanduser()).resolve()

# Ed25519, the 32 bytes of its private key in base64: signs every archive, so that no other is taken for ours.
BACKUP_SIGNING_KEY = env.str("BACKUP_SIGNING_KEY", default="")
if not BACKUP_SIGNING_KEY and EMBEDDED_DATABASE:
    BACKUP_SIGNING_KEY = secret_kept_in(DATA_DIR / "backup_signing_key", new_backup_signing_key)
# Public keys whose archives are accepted, too, such as that of the store that this one follows.
BACKUP_TRUSTED_KEYS = env.list("BACKUP_TRUSTED_KEYS", default=[])
# age1... of those who can open archives; none: archives are not encrypted.
BACKUP_AGE_RECIPIENTS = env.list("BACKUP_AGE_RECIPIENTS", default=[])
# As age-keygen writes it. Without it this machine makes encrypted archives that it cannot read itself.
BACKUP_AGE_IDENTITY_FILE = env.str("BACKUP_AGE_IDENTITY_FILE", default="")
# How often a backup is made by the schedule, in seconds (0: never), and how many are kept (0: all).
BACKUP_INTERVAL = env.int("BACKUP_INTERVAL", default=86400)
MAX_BACKUPS = env.int("MAX_BACKUPS", default=30)
# A backup takes what others leave of processors and database; false: it is as fast as it can be.
BACKUP_GIVES_WAY = env.bool("BACKUP_GIVES_WAY", default=True)

# Below it staff may choose older stores to bring in; none: they only upload.
_IMPORT_DIR = env.str("IMPORT_DIR", default="")
IMPORT_DIR = (BASE_DIR / Path(_IMPORT_DIR).expanduser()).resolve() if _IMPORT_DIR else None
# An older store of at least this size is read by a process of its own.
IMPORT_PROCESS_BYTES = env.int("IMPORT_PROCESS_BYTES", default=16 * 1024 * 1024)
