"""Drivers deploy a topology and hand out a Deployment; they know nothing of runs, load or checks."""
