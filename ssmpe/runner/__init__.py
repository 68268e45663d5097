"""Runs the trials of a sweep with Ray Tune and reports them to a tracker."""
