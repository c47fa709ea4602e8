"""Backups of the whole store: made, checked, brought back, listed and pruned."""
