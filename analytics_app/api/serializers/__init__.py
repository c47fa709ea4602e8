"""What the API shows of sums, one module a topic."""
