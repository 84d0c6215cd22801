"""Processes that work without being asked by a request."""
