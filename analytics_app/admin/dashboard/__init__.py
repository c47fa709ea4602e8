"""The dashboard: what the sums say of a period, as charts with the same figures in tables beside them."""
