"""Hard stops: what must be so before a run may change an environment, each checked, with evidence.

A stop that can't be checked is not passed: what is unknown counts as wrong.
"""
