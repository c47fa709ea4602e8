"""Plain functions that make rows for tests."""
