"""The REST door of history_app."""
