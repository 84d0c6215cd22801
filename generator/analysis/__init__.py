"""Canary analysis: the new version beside the stable one, by what Prometheus has seen of both."""
