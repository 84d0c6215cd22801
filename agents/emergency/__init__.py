"""What a node does in an emergency.

episode    which changes of the switch make up one emergency, and what is to be done at each; pure
journal    how far that is, on disk
hooks      the node's own programs
task       follows the switch and walks the steps
"""
