"""Effects: the one place that touches Toxiproxy and processes."""
