"""Where the audit log is shipped to: one interface, held to the same cases by tests/contract."""

from agents.sinks.sink import Occupied, Segment, Sink, Stored

__all__ = ["Occupied", "Segment", "Sink", "Stored"]
