"""The store of a zone: one replica of the region's content, and the coordinator that asks a quorum of replicas for its registry."""
