"""What is too long for every run of the suite: scripts to start by hand. A small sample of each is a test in tests/embedded."""
