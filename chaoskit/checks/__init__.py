"""Checks: pure functions of one stored run. One file a check."""
