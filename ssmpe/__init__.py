"""Sweeps of self-supervised multi-pitch estimation on Ray, tracked in MLflow."""

__version__ = "0.4.0"
