"""The audit trail's first station: one line for each changing request, on disk before its answer.

The node's agent ships the files; `flowrex.audit.record` has their format.
"""
