"""The embedded registry: the OCI distribution API as clients use it, on top of a zone's store."""
