"""An OCI distribution client that never retries by itself, and the table that classifies what it saw."""
