"""What the REST door of backups_app answers, a module a topic."""
