"""Benchmarks: ours beside the raw limit, in one run, as ratios. Run with `make bench` or `python -m tests.bench`."""
