"""The command-line door of history_app."""
