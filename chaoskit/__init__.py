"""chaoskit: chaos engineering for container registries, with a verdict."""

__version__ = "0.1.0"
