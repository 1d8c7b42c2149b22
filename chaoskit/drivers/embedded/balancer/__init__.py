"""The balancer of one zone: an HTTP/1.1 reverse proxy that behaves as HAProxy does under compose/config/haproxy-three-zones.cfg."""
