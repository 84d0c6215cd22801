"""The audit trail's formats: the record that is written, the segment that is shipped, the proof.

The application writes records, the agent ships them in segments, `flowrexctl audit` reads them.
"""
