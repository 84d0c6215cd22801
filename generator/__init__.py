"""flowrexctl: turns an environment into Nomad jobs and rolls them out."""
