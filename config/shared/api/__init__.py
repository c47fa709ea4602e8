"""The ground that every app's REST API stands on."""
