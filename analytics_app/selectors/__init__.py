"""Reads of the sum, one module a topic."""
