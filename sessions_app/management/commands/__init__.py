"""The command-line door of sessions_app."""
