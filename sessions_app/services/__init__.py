"""The only place that writes the tables of sessions_app."""
