"""What the command lines `flowrexctl` and `flowrex-agent` have in common. Only they import click.

`verbs` loads a verb's module when it is called, `edge` reports errors once, `output` prints.
"""
