"""`flowrexctl completion SHELL`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from flowrex.command.output import show


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      source <(flowrexctl completion bash)
      flowrexctl completion fish > ~/.config/fish/completions/flowrexctl.fish
    """
    from generator.cli import group

    completion = get_completion_class(shell)
    assert completion is not None
    show(completion(group, {}, "flowrexctl", "_FLOWREXCTL_COMPLETE").source())
