"""The embedded region's fault proxy: TCP links that can be struck, driven through the Toxiproxy HTTP API."""
