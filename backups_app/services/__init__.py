"""The only place that writes the tables of backups_app."""
