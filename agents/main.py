"""flowrex-agent's entry point."""

from __future__ import annotations

import sys

from agents.cli import group
from flowrex.command import edge


def main(arguments: list[str] | None = None) -> None:
    """Run flowrex-agent and leave with its exit status.

    Args:
        arguments: what was typed, `sys.argv[1:]` unless given.
    """
    edge.run(
        group,
        sys.argv[1:] if arguments is None else arguments,
        program="flowrex-agent",
        interrupted_hint="`flowrex-agent status` tells what the running agent does.",
    )


if __name__ == "__main__":
    main()
