"""Figures and tables of sweeps, drawn from an MLflow store alone."""
