"""The command-line door of backups_app."""
