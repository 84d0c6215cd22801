"""Operators' requests: what a node's agent is asked through Consul, done once.

`handler` says what those who do the work look like, `journal` remembers over restarts what was
begun, `answers` writes what the operator sees, `task` brings them together.
"""
