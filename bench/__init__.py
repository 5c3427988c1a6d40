"""Benchmarks: cases x sizes x contenders; `python -m bench` runs them."""
