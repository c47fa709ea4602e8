"""The only place that writes the tables of history_app."""
