"""Bring a backup of the database back: stop what uses it, let the agent restore, start it again.

choice     which backup a person means; pure
progress   how far a restore is, in Consul, so that another process can go on with it
jobs       stop jobs, and start them again at the versions that ran
record     what is told of it beside the releases
run        the walk
"""
