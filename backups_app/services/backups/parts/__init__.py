"""A part of an archive comes back into the living store: a session, a user, a project, or its configuration."""

from backups_app.services.backups.parts.choice import Choice, Kind, OnConflict, choice_of
from backups_app.services.backups.parts.looking import part_look
from backups_app.services.backups.parts.restore import PART_OF_STORE, backup_restore_part

__all__ = ["PART_OF_STORE", "Choice", "Kind", "OnConflict", "backup_restore_part", "choice_of", "part_look"]
