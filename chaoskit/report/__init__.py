"""Views of a run's results."""
