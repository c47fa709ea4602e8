"""The keep: bringing in what teams kept before, and later keeping and proving it."""
