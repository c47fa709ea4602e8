"""The viewsets of the past."""
