"""The viewsets of the present."""
