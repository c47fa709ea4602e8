"""The REST door of sessions_app."""
