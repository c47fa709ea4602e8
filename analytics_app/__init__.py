"""The sum: what the facts add up to."""
