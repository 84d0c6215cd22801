"""Measurements against the peers and against the limits; `make bench` runs them."""
