"""Commands of the sum."""
