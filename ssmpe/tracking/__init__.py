"""MLflow tracking of sweeps: one parent run per sweep, one child run per trial."""
