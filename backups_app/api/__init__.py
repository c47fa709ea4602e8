"""The REST door of backups_app."""
