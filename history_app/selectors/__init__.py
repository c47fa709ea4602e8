"""Reads of history that are not rows of one model, one module a topic."""
