"""Measurements of speed: ``python -m tests.benchmarks``."""
