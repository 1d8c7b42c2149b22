"""The plan of the load (pure, seeded) and its open-loop runner."""
