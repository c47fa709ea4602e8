"""The viewsets of the sum."""
