"""The dev cluster: the real servers on this machine's loopback, started, repaired and removed."""
