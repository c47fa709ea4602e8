"""Backups: where archives are, how often one is made, and how many are kept."""

from pathlib import Path

from config.env import BASE_DIR, env
from config.settings.databases import DATA_DIR

# Made (mode 0700) when the first archive is written, not at every start: it may be a disk that is mounted late.
BACKUP_DIR = (BASE_DIR / Path(env.str("BACKUP_DIR", default="") or DATA_DIR / "backups").expanduser()).resolve()
# Seconds between two backups of the schedule; 0: none.
BACKUP_INTERVAL = env.int("BACKUP_INTERVAL", default=86400)
# How many archives stay when old ones are pruned; 0: all.
MAX_BACKUPS = env.int("MAX_BACKUPS", default=30)
