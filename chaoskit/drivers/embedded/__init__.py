"""The embedded region: our own balancer, registry, quorum store and fault proxy, one process each, real sockets, on one machine."""
