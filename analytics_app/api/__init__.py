"""The REST door of analytics_app."""
